#include "slab/slab_tier.h"

#include <cstring>

namespace lowtide {

namespace {

[[gnu::cold]] uint32_t count_free(span& s) {
    uint32_t free = 0;
    for (uint32_t w = 0; w < s.bitmap_words(); ++w)
        free += count_bits_of(s.bitmap()[w]);
    return free;
}

} // namespace

// ---- lock and repair

bool slab_tier::lock(size_class c) noexcept {
    switch (shard_of(c).mutex.lock()) {
    case os::acquired::yes:
        if (owner_ != nullptr) [[unlikely]]
            owner_->expect_alive();
        return true;
    case os::acquired::mine:
        return false;
    case os::acquired::orphaned:
        rebuild(c);
        return true;
    }
    return false;
}

// A thread that died in a fork held the lock. The bitmaps are the truth: each bit is written in one go.
// Objects that the thread had taken and not handed out are lost.
void slab_tier::rebuild(size_class c) noexcept {
    slab_shard& shard = shard_of(c);
    shard.current = nullptr;
    shard.set_slabs(0);
    shard.free_objects = shard.hole_pages = 0;
    for (list<span>& bin : shard.bins)
        bin.forget();
    for (list<span, by_rest>& slabs : shard.restless)
        slabs.forget();
    pages_->for_each_span([&](span& s) {
        if (s.kind != span_kind::slab || s.sc != c || owner_of(s) != static_cast<void*>(owner_))
            return;
        map_->set(s.base, s.length, &s, fast_entry(c)); // perhaps only begun when the thread died
        s.place().forget();
        s.rest_place().forget();
        s.free_objects = count_free(s);
        s.first_free_word = 0;
        s.bin = no_bin;
        s.next_changed = nullptr;
        shard.set_slabs(shard.slab_count() + 1);
        shard.free_objects += s.free_objects;
        shard.hole_pages += count_bits_of(s.holes);
        note_use(shard, s);
        refile(shard, s);
    });
}

// ---- slabs

size_t slab_tier::record_bytes(uint32_t capacity) const noexcept {
    return (owner_ == nullptr ? 0 : sizeof(owned_prefix)) + sizeof(span) +
           (capacity + 63) / 64 * sizeof(uint64_t);
}

span* slab_tier::new_record(uint32_t capacity) noexcept {
    void* record = records_->allocate(record_bytes(capacity));
    if (record == nullptr || owner_ == nullptr)
        return static_cast<span*>(record);
    auto* prefix = static_cast<owned_prefix*>(record);
    prefix->owner = owner_;
    prefix->of().owned = true;
    return &prefix->of();
}

void slab_tier::free_record(span& s) noexcept {
    void* record = owner_ == nullptr ? static_cast<void*>(&s) : &owned_prefix::in_front_of(s);
    records_->deallocate(record, record_bytes(s.capacity));
}

// Of many heaps each slab may stay as good as empty.
run_use slab_tier::use_for_owner(size_class c) noexcept {
    return shard_of(c).slab_count() >= dense_from ? run_use::dense : run_use::unknown;
}

span* slab_tier::create(size_class c) noexcept {
    const class_geometry& g = geometry_of(c);
    span* s = new_record(g.capacity);
    if (s == nullptr)
        return nullptr;
    s->capacity = s->free_objects = g.capacity;
    const page_run run =
        pages_->allocate({g.slices}, slice_size, owner_ == nullptr ? run_use::dense : use_for_owner(c));
    if (run.base == 0) {
        free_record(*s);
        return nullptr;
    }
    s->base = run.base;
    s->object_size = g.object_size;
    s->length = {g.slices};
    s->kind = span_kind::slab;
    s->sc = c;
    s->bin = no_bin;
    s->reciprocal = g.reciprocal;
    for (uint32_t i = 0; i < g.capacity; i += 64)
        s->bitmap()[i / 64] = g.capacity - i >= 64 ? ~uint64_t{0} : (uint64_t{1} << (g.capacity - i)) - 1;
    map_->set(s->base, s->length, s, fast_entry(c));
    if (owner_ != nullptr)
        owner_->add(owned_prefix::in_front_of(*s));
    return s;
}

// Puts a slab in the list that its fullness asks for.
void slab_tier::refile(slab_shard& shard, span& s) noexcept {
    if (&s == shard.current)
        return;
    uint8_t bin = no_bin;
    if (s.free_objects == s.capacity)
        bin = partial_bins;
    else if (s.free_objects != 0)
        bin = static_cast<uint8_t>(s.free_objects * partial_bins / s.capacity);
    if (bin == s.bin)
        return;
    if (s.bin != no_bin)
        s.place().unlink();
    s.bin = bin;
    if (bin != no_bin)
        shard.bins[bin].push_back(s);
}

// An object has come or gone.
void slab_tier::note_use(slab_shard& shard, span& s) noexcept {
    s.used_in = shard.round;
    if (!s.rest_place().linked())
        shard.restless[shard.noting].push_back(s);
}

// Takes a slab that holds nothing out of its shard.
void slab_tier::drop(slab_shard& shard, span& s, list<span>& emptied) noexcept {
    if (shard.current == &s)
        shard.current = nullptr;
    if (s.bin != no_bin)
        s.place().unlink();
    if (s.rest_place().linked())
        s.rest_place().unlink();
    shard.set_slabs(shard.slab_count() - 1);
    shard.free_objects -= s.capacity;
    if (s.holes != 0)
        forget_holes(shard, s, s.holes);
    emptied.push_back(s);
}

// The fullest slab that has a free object; out of its list.
span* slab_tier::choose(slab_shard& shard) noexcept {
    for (list<span>& bin : shard.bins) {
        span* s = bin.front();
        if (s == nullptr)
            continue;
        s->place().unlink();
        s->bin = no_bin;
        return s;
    }
    return nullptr;
}

// Gives the memory of a slab that is in no list back.
void slab_tier::retire(span& s) noexcept {
    const uintptr_t base = s.base;
    const slice_count length = s.length;
    if (owner_ != nullptr && !owner_->remove(owned_prefix::in_front_of(s)))
        return;
    map_->clear(base, length);
    if (!pages_->deallocate(base,
                            length)) // interrupted: a signal handler's free. Rare enough to lose a slab for.
        return;
    free_record(s);
}

void slab_tier::retire_all(list<span>& emptied) noexcept {
    while (span* s = emptied.front()) {
        s->place().unlink();
        retire(*s);
    }
}

// ---- objects

// Takes those of the objects in `bits`, of word `w` of the bitmap, that are wanted; the bits that are left.
static uint64_t take_bits(const span& s, uint32_t w, uint64_t bits, void** end, unsigned& taken,
                          unsigned wanted) {
    const uintptr_t word_base = s.base + size_t{w} * 64 * s.object_size;
    for (; bits != 0 && taken < wanted; bits &= bits - 1)
        *(end - ++taken) =
            reinterpret_cast<void*>(word_base + static_cast<unsigned>(__builtin_ctzll(bits)) * s.object_size);
    return bits;
}

// Only objects on cache lines on which all are free: nobody else's are there.
unsigned slab_tier::extract_lines(span& s, void** end, unsigned wanted) noexcept {
    const unsigned group = objects_on_whole_lines(s.sc);
    const uint64_t firsts = group == 2 ? 0x5555555555555555 : 0x1111111111111111;
    unsigned taken = 0;
    for (uint32_t w = s.first_free_word; taken < wanted && w < s.bitmap_words(); ++w) {
        const uint64_t bits = s.bitmap()[w];
        uint64_t whole = bits & bits >> 1;
        whole = (group == 2 ? whole : whole & whole >> 2) & firsts;
        whole *= (uint64_t{1} << group) - 1;
        s.bitmap()[w] = (bits & ~whole) | take_bits(s, w, whole, end, taken, wanted);
    }
    return taken;
}

unsigned slab_tier::extract(slab_shard& shard, span& s, void** end, unsigned wanted) noexcept {
    const unsigned count = s.free_objects < wanted ? s.free_objects : wanted;
    unsigned taken = 0;
    if (s.holes != 0) [[unlikely]]
        taken = extract_resident(s, end, count);
    const unsigned resident = taken;
    if (shares_cache_line(s.sc))
        taken += extract_lines(s, end - taken, count - taken);
    for (uint32_t w = s.first_free_word; taken < count; ++w) {
        s.bitmap()[w] = take_bits(s, w, s.bitmap()[w], end, taken, count);
        s.first_free_word = w;
    }
    if (s.holes != 0) [[unlikely]]
        fill_holes(shard, s, end - taken, taken - resident);
    s.free_objects -= taken;
    return taken;
}

unsigned slab_tier::take(size_class c, void** end, unsigned wanted) noexcept {
    slab_shard& shard = shard_of(c);
    unsigned taken = 0;
    if (!lock(c))
        return 0;
    while (taken < wanted) {
        span* s = shard.current;
        if (s == nullptr || s->free_objects == 0) {
            shard.current = choose(shard);
            if (shard.current != nullptr)
                continue;
            shard.mutex.unlock();
            span* fresh = create(c);
            if (!lock(c))
                return taken;
            if (fresh == nullptr)
                break;
            shard.set_slabs(shard.slab_count() + 1);
            shard.free_objects += fresh->free_objects;
            note_use(shard, *fresh); // even if nobody ever takes from it
            if (shard.current == nullptr)
                shard.current = fresh;
            else
                refile(shard, *fresh); // another thread was here in the meantime
            continue;
        }
        const unsigned got = extract(shard, *s, end - taken, wanted - taken);
        note_use(shard, *s);
        shard.free_objects -= got;
        taken += got;
    }
    shard.mutex.unlock();
    return taken;
}

// Inlined: a magazine's objects are checked one after the other.
[[gnu::always_inline]] inline free_error slab_tier::check(const span* s, size_class c, uintptr_t address,
                                                          uint32_t& index) noexcept {
    if (s == nullptr)
        return free_error::foreign;
    if (s->kind != span_kind::slab || s->sc != c)
        return free_error::interior;
    if (!is_object_start(*s, address))
        return free_error::interior;
    index = object_index(*s, address);
    const bool free = (const_cast<span*>(s)->bitmap()[index / 64] >> (index % 64) & 1) != 0;
    return free ? free_error::double_free : free_error::none;
}

free_error slab_tier::examine(const span& slab, const void* p) noexcept {
    if (!lock(slab.sc))
        return free_error::none;
    uint32_t index = 0;
    const free_error error = check(&slab, slab.sc, reinterpret_cast<uintptr_t>(p), index);
    shard_of(slab.sc).mutex.unlock();
    return error;
}

namespace {

// The slabs of one class that objects have been given back to, each once, however the objects were mixed:
// their lists are put right when all objects are in.
class changed_slabs {
public:
    void add(span& s) noexcept {
        if (s.next_changed != nullptr)
            return;
        s.next_changed = first_ != nullptr ? first_ : &s; // the last one points to itself
        first_ = &s;
    }
    span* take() noexcept {
        span* s = first_;
        if (s == nullptr)
            return nullptr;
        first_ = s->next_changed != s ? s->next_changed : nullptr;
        s->next_changed = nullptr;
        return s;
    }

private:
    span* first_ = nullptr;
};

} // namespace

give_result slab_tier::give(size_class c, void* const* objects, unsigned count) noexcept {
    slab_shard& shard = shard_of(c);
    if (!lock(c))
        return {free_error::none, nullptr, false};
    give_result result;
    changed_slabs changed;
    unsigned given = 0;
    for (; given < count; ++given) {
        const auto address = reinterpret_cast<uintptr_t>(objects[given]);
        span* s = map_->find(address);
        uint32_t index = 0;
        result.error = check(s, c, address, index);
        if (result.error != free_error::none) {
            result.culprit = objects[given];
            break;
        }
        changed.add(*s);
        s->bitmap()[index / 64] |= uint64_t{1} << (index % 64);
        if (index / 64 < s->first_free_word)
            s->first_free_word = index / 64;
        ++s->free_objects;
    }
    shard.free_objects += given;
    list<span> emptied;
    while (span* s = changed.take()) {
        const bool spare = s->free_objects == s->capacity && shard.free_objects > s->capacity;
        if (spare && s != shard.current) {
            drop(shard, *s, emptied);
            continue;
        }
        note_use(shard, *s);
        refile(shard, *s);
    }
    shard.mutex.unlock();
    retire_all(emptied);
    return result;
}

void slab_tier::release_empty() noexcept {
    for (unsigned i = 1; i <= slab_classes; ++i) {
        const size_class c{static_cast<uint8_t>(i)};
        slab_shard& shard = shard_of(c);
        if (!lock(c))
            continue;
        list<span> emptied;
        if (shard.current != nullptr && shard.current->free_objects == shard.current->capacity)
            drop(shard, *shard.current, emptied);
        while (span* s = shard.bins[partial_bins].front())
            drop(shard, *s, emptied);
        shard.mutex.unlock();
        retire_all(emptied);
    }
}

bool slab_tier::copy_free(span& slab, uint64_t* to, uint32_t words) noexcept {
    if (slab.bitmap_words() > words || !lock(slab.sc))
        return false;
    memcpy(to, slab.bitmap(), slab.bitmap_words() * sizeof(uint64_t));
    shard_of(slab.sc).mutex.unlock();
    return true;
}

class_counts slab_tier::counts(size_class c) noexcept {
    class_counts n;
    if (!lock(c))
        return n;
    n.slabs = shard_of(c).slab_count();
    n.objects = n.slabs * geometry_of(c).capacity;
    n.free_objects = shard_of(c).free_objects;
    n.hole_bytes = shard_of(c).hole_pages * os::page_size();
    shard_of(c).mutex.unlock();
    return n;
}

} // namespace lowtide
