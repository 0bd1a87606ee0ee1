#include "front/front.h"

namespace lowtide {

namespace {

// The first magazine of a class holds about a page: no more is carved than a small program needs.
constexpr size_t first_magazine_bytes = 4 * kibibyte;
// Where exchanges are frequent, a magazine may grow to this many times the option `cache`: 2,000 objects of
// up to 32 KiB, replaced at random, cost 25 ns with 64 KiB and 12 ns with 512 KiB.
constexpr size_t busy_factor = 8;
// How many misses within a tick make a magazine grow, and how few let it shrink.
constexpr uint32_t misses_to_grow = 32;
constexpr uint32_t misses_to_keep = 8;
// A run is large enough to be worth one system call; two magazines of at most this keep the next one warm.
constexpr size_t run_magazine_bytes = 2 * mebibyte;
// So many objects may wait in the depots for each processor at work: Lua took 0.94 and Python 0.93 of the
// time that they did with 64 magazines a class (docs/design.md).
constexpr size_t depot_objects = 12 * 1024;
// What all magazines may hold beyond their usual sizes, and what the depots may hold at most: a share of what
// is in use.
constexpr size_t min_budget = 4 * mebibyte;
constexpr size_t budget_share = 16;
// Magazines are as large as the option says while no more rows than this are in use. With more, those of so
// many classes share what they would have in as many rows, or a part of what is in use: 256 processors at
// work on 70 MiB had 385 MB in their caches without that (docs/design.md).
constexpr size_t uncrowded_rows = 16;
constexpr size_t busy_classes = 32;
constexpr size_t cached_share = 4;
// Runs that magazines keep warm, in all: a mix of all sizes would otherwise hold one of each.
constexpr size_t min_warm_bytes = 8 * mebibyte;
constexpr size_t warm_share = 16;
constexpr uint64_t tick_every_ms = 50;
constexpr uint64_t holes_every_ms = 500;
// When the process grows, idle caches are looked for more often: what they hold pins slabs that would serve
// instead.
constexpr uint64_t growth_tick_ms = 2;

unsigned clamp(size_t n, unsigned low, unsigned high) {
    return n < low ? low : n > high ? high : static_cast<unsigned>(n);
}

} // namespace

void front::start(unsigned cpus, unsigned usable_cpus) noexcept {
    cache_.start(settings_->rseq, cpus, usable_cpus);
    usual_bytes_.store(settings_->cache_bytes, std::memory_order_relaxed);
    for (unsigned i = 1; i < all_classes; ++i) {
        const size_class c{static_cast<uint8_t>(i)};
        const size_t bytes =
            first_magazine_bytes < settings_->cache_bytes ? first_magazine_bytes : settings_->cache_bytes;
        set_capacity(c, capacity_for(c, bytes));
    }
}

size_t front::budget() const noexcept {
    const size_t share = pages_->used_bytes() / budget_share;
    return share > min_budget ? share : min_budget;
}

unsigned front::rows_in_use() const noexcept {
    const unsigned before = rows_before_.load(std::memory_order_relaxed);
    const unsigned now = rows_seen_.load(std::memory_order_relaxed);
    return before > now ? before : now;
}

unsigned front::usual_capacity(size_class c) const noexcept {
    return capacity_for(c, usual_bytes_.load(std::memory_order_relaxed));
}

// In all rows: each that is in use may fill its magazines.
size_t front::granted() const noexcept {
    return granted_.load(std::memory_order_relaxed) * rows_in_use();
}

bool front::may_keep_warm(size_class c) const noexcept {
    const size_t share = pages_->used_bytes() / warm_share;
    const size_t limit = share > min_warm_bytes ? share : min_warm_bytes;
    return warm_bytes_.load(std::memory_order_relaxed) + object_size(c) <= limit;
}

void front::set_capacity(size_class c, unsigned objects) noexcept {
    const unsigned before =
        use_[index_of(c)].capacity.exchange(static_cast<uint16_t>(objects), std::memory_order_relaxed);
    const unsigned usual = capacity_for(c, settings_->cache_bytes);
    const auto beyond = [usual](unsigned capacity) {
        return size_t{capacity > usual ? capacity - usual : 0};
    };
    // Two magazines a class; the difference may be negative, and wraps to the right sum.
    granted_.fetch_add(2 * (beyond(objects) - beyond(before)) * object_size(c), std::memory_order_relaxed);
}

unsigned front::capacity_for(size_class c, size_t magazine_bytes) const noexcept {
    if (is_run_class(c))
        return clamp(run_magazine_bytes / object_size(c), 1, max_magazine_capacity);
    return clamp(magazine_bytes / object_size(c), 2, max_magazine_capacity);
}

// Called once for every exchange of magazines; the counts may miss a few when threads race.
void front::note_miss(size_class c) noexcept {
    class_use& use = use_[index_of(c)];
    const uint32_t misses = use.misses.load(std::memory_order_relaxed) + 1;
    use.misses.store(misses, std::memory_order_relaxed);
    const unsigned capacity = use.capacity.load(std::memory_order_relaxed);
    // Up to the option's size at once: a program that only allocates should not come here for every page.
    const unsigned usual = usual_capacity(c);
    const bool busy = misses % misses_to_grow == 0;
    const unsigned rows = cache_.row() + 1;
    if (rows > rows_seen_.load(std::memory_order_relaxed)) {
        rows_seen_.store(rows, std::memory_order_relaxed);
        if (rows > rows_before_.load(std::memory_order_relaxed) && rows > uncrowded_rows)
            divide_among_rows();
    }
    if (capacity < usual || (busy && !is_crowded() && granted() < budget())) {
        const unsigned limit =
            capacity < usual ? usual : capacity_for(c, settings_->cache_bytes * busy_factor);
        set_capacity(c, 2 * capacity < limit ? 2 * capacity : limit);
    }
    if (busy)
        tick();
}

// The usual size of a magazine, for as many rows as are in use.
void front::divide_among_rows() noexcept {
    const size_t option = settings_->cache_bytes;
    const size_t share = pages_->used_bytes() / cached_share / (2 * busy_classes);
    const size_t all = share > option * uncrowded_rows ? share : option * uncrowded_rows;
    const size_t bytes = all / rows_in_use();
    usual_bytes_.store(bytes < option ? bytes : option, std::memory_order_relaxed);
    if (bytes >= option)
        return;
    for (unsigned i = 1; i < all_classes; ++i) {
        const size_class c{static_cast<uint8_t>(i)};
        const unsigned usual = usual_capacity(c);
        if (use_[i].capacity.load(std::memory_order_relaxed) > usual)
            set_capacity(c, usual);
    }
}

// At every tick: a class that was not exchanged lately keeps nothing in this row. Its objects may lie in as
// many slabs.
void front::age(size_class c) noexcept {
    class_use& use = use_[index_of(c)];
    const uint32_t misses = use.misses.exchange(0, std::memory_order_relaxed);
    const unsigned usual = usual_capacity(c);
    const unsigned capacity = use.capacity.load(std::memory_order_relaxed);
    if (misses < misses_to_keep && capacity > usual)
        set_capacity(c, capacity / 2 > usual ? capacity / 2 : usual);
    if (misses == 0) {
        drain_row(c, position::spare);
        drain_row(c, position::loaded);
    }
}

// ---- round the magazines

void* front::allocate_directly(size_class c) noexcept {
    void* object = nullptr;
    return slabs_->take(c, &object + 1, 1) == 1 ? object : nullptr;
}

void front::release_directly(size_class c, void* const* objects, unsigned count) noexcept {
    if (!is_run_class(c)) {
        const give_result result = slabs_->give(c, objects, count);
        if (result.error != free_error::none)
            on_wrong_free_(result.error, result.culprit, c);
        for (unsigned i = 0; !result.done && i < count; ++i)
            defer(objects[i]);
        return;
    }
    for (unsigned i = 0; i < count; ++i) {
        const auto address = reinterpret_cast<uintptr_t>(objects[i]);
        span* s = map_->find(address);
        if (s == nullptr)
            s = map_->around(address);
        if (s == nullptr || s->kind != span_kind::run) // it was a run of this class when it came here
            on_wrong_free_(free_error::double_free, objects[i], c);
        else if (s->base != address)
            on_wrong_free_(free_error::interior, objects[i], c);
        else if (!runs_->deallocate(*s))
            defer(objects[i]);
    }
}

void front::defer(void* p) noexcept {
    void* first = deferred_.load(std::memory_order_relaxed);
    do
        *static_cast<void**>(p) = first;
    while (!deferred_.compare_exchange_weak(first, p, std::memory_order_release, std::memory_order_relaxed));
}

// ---- magazines

stock front::empty_magazine(size_class c, magazine* reuse) noexcept {
    magazine* m = reuse != nullptr ? reuse : static_cast<magazine*>(records_->allocate(sizeof(magazine)));
    if (m == nullptr)
        return {};
    m->set_capacity(use_[index_of(c)].capacity.load(std::memory_order_relaxed));
    if (reuse == nullptr && is_run_class(c))
        warm_bytes_.fetch_add(m->capacity() * object_size(c), std::memory_order_relaxed);
    return {m, 0};
}

void front::scrap(size_class c, magazine* empty) noexcept {
    if (is_run_class(c)) // whose capacity never changes
        warm_bytes_.fetch_sub(empty->capacity() * object_size(c), std::memory_order_relaxed);
    records_->deallocate(empty, sizeof(magazine));
}

// A magazine with objects: from the depot, or filled from the slabs. Takes over `empty`, if given.
stock front::fill(size_class c, magazine* empty) noexcept {
    stock s = depot_.take(c, empty);
    if (s.m != nullptr)
        return s;
    s = empty_magazine(c, empty);
    if (s.m == nullptr)
        return s;
    tick();
    top_up(c, s, s.m->capacity());
    return s;
}

// Fills a magazine in our hands from the slabs until it has `count` objects.
void front::top_up(size_class c, stock& s, unsigned count) noexcept {
    void** const end = s.m->word(magazine_words);
    const unsigned taken = slabs_->take(c, end, count - s.count);
    if (s.top() != end - taken)
        __builtin_memmove(s.top(), end - taken, taken * sizeof(void*));
    s.count += taken;
}

void front::flush(size_class c, const stock& s) noexcept {
    if (s.count != 0)
        release_directly(c, s.objects(), s.count);
    scrap(c, s.m);
}

// Passes a magazine on that nobody here needs; an empty one in return, perhaps.
magazine* front::dispose_for_empty(size_class c, const stock& s) noexcept {
    if (s.m == nullptr || s.count == 0)
        return s.m;
    if (!is_run_class(c)) {
        const depot_answer answer = depot_.put(c, s, {depot_objects * rows_in_use(), budget()});
        if (answer.taken)
            return answer.empty;
    }
    release_directly(c, s.objects(), s.count);
    return s.m;
}

void front::dispose(size_class c, const stock& s) noexcept {
    if (magazine* empty = dispose_for_empty(c, s))
        scrap(c, empty);
}

void front::discard(size_class c, magazine* empties) noexcept {
    while (empties != nullptr) {
        magazine* next = empties->next;
        scrap(c, empties);
        empties = next;
    }
}

// Makes `s` the loaded magazine and what was loaded the spare one.
void front::install(size_class c, const stock& s) noexcept {
    stock loaded;
    if (!cache_.exchange(c, position::loaded, s, loaded)) {
        dispose(c, s);
        return;
    }
    stock spare;
    if (loaded.m != nullptr)
        dispose(c, cache_.exchange(c, position::spare, loaded, spare) ? spare : loaded);
}

void* front::allocate_cached(size_class c) noexcept {
    if (!uses_magazines())
        return nullptr;
    if (void* p = cache_.pop(c))
        return p;
    note_miss(c);
    stock spare;
    if (!cache_.exchange(c, position::spare, {}, spare))
        return nullptr;
    return serve(c, spare);
}

void* front::allocate(size_class c) noexcept {
    if (!uses_magazines())
        return allocate_directly(c);
    if (void* p = cache_.pop(c))
        return p;
    note_miss(c);
    stock spare;
    if (!cache_.exchange(c, position::spare, {}, spare)) {
        cache_.mend();
        return allocate_directly(c);
    }
    void* p = serve(c, spare.count != 0 ? spare : fill(c, spare.m));
    return p != nullptr ? p : allocate_directly(c);
}

// An object from a magazine in our hands, which becomes the loaded one. Null when it is empty.
void* front::serve(size_class c, stock s) noexcept {
    if (s.count == 0) {
        if (s.m != nullptr)
            scrap(c, s.m);
        return nullptr;
    }
    void* p = s.pop();
    install(c, s);
    return p;
}

void front::release(size_class c, void* p) noexcept {
    if (uses_magazines() && cache_.push(c, p))
        return;
    stock spare;
    // A run that the loaded magazine has no room for is better off where any size can be made of it.
    const bool exchanges =
        uses_magazines() && (!is_run_class(c) || (cache_.is_vacant(c) && may_keep_warm(c)));
    if (!exchanges || !cache_.exchange(c, position::spare, {}, spare)) {
        release_directly(c, &p, 1);
        return;
    }
    stock s = empty_magazine(c, dispose_for_empty(c, spare));
    if (s.m == nullptr) {
        release_directly(c, &p, 1);
        return;
    }
    s.push(p);
    // Who begins by freeing what another made must not make the next one of it: its neighbours on the same
    // cache line may be in use on another processor.
    if (shares_cache_line(c) && cache_.is_vacant(c))
        top_up(c, s, (s.m->capacity() + 1) / 2);
    install(c, s);
    note_miss(c);
}

// The magazines are looked at in our hands, and put back.
bool front::holds(size_class c, const void* p) noexcept {
    if (!uses_magazines() || c == size_class{} || cache_.is_vacant(c))
        return false;
    bool found = false;
    for (const position where : {position::spare, position::loaded}) {
        stock s;
        if (!cache_.exchange(c, where, {}, s) || s.m == nullptr)
            continue;
        for (unsigned i = 0; i < s.count; ++i)
            found |= s.objects()[i] == p;
        stock before;
        if (!cache_.exchange(c, where, s, before))
            flush(c, s);
        else if (before.m != nullptr)
            flush(c, before); // of another row, where we have been moved to
    }
    return found;
}

// ---- large runs

span_result front::allocate_run(size_t size, size_t alignment) noexcept {
    span* s = nullptr;
    if (size > block_size && cache_.exchange_parked(nullptr, s) && s != nullptr) {
        // Its end may go unused up to an eighth.
        if (size <= s->object_size && s->object_size - size <= size / 8 && (s->base & (alignment - 1)) == 0) {
            s->parked = false;
            return {s, false};
        }
        retire(*s);
    }
    return runs_->allocate(size, alignment);
}

void front::release_run(span& s) noexcept {
    // All rows together keep no more than may be dirty.
    if (s.object_size > block_size && s.object_size * cache_.rows() <= settings_->dirty_cap) {
        span* before = nullptr;
        s.parked = true;
        if (cache_.exchange_parked(&s, before)) {
            if (before != nullptr)
                retire(*before);
            return;
        }
        s.parked = false;
    }
    retire(s);
}

void front::retire(span& s) noexcept {
    s.parked = false;
    if (!runs_->deallocate(s))
        defer(reinterpret_cast<void*>(s.base));
}

void front::drain_parked() noexcept {
    span* s = nullptr;
    if (cache_.exchange_parked(nullptr, s) && s != nullptr)
        retire(*s);
}

// ---- return

void front::drain_row(size_class c, position where) noexcept {
    stock s;
    if (cache_.exchange(c, where, {}, s) && s.m != nullptr)
        flush(c, s);
}

void front::flush_all(cache::holdings& all) noexcept {
    for (unsigned i = 1; i < all_classes; ++i) {
        for (magazine* m = all.of_class[i]; m != nullptr;) {
            magazine* next = m->next;
            flush(size_class{static_cast<uint8_t>(i)}, {m, m->stored});
            m = next;
        }
    }
    for (span* s = all.parked; s != nullptr;) {
        auto* next = static_cast<span*>(s->place().next);
        s->place().forget();
        retire(*s);
        s = next;
    }
}

void front::drain() noexcept {
    cache::holdings all;
    cache_.collect(all);
    flush_all(all);
    for (unsigned i = 1; i < all_classes; ++i) {
        const size_class c{static_cast<uint8_t>(i)};
        drain_row(c, position::loaded); // where the kernel has no such membarrier
        drain_row(c, position::spare);
        if (is_run_class(c))
            continue;
        for (stock s = depot_.take(c, nullptr); s.m != nullptr; s = depot_.take(c, nullptr))
            flush(c, s);
        discard(c, depot_.sweep(c));
    }
    drain_parked();
    slabs_->release_empty();
}

void front::return_idle_depot(size_class c) noexcept {
    for (stock s = depot_.take_idle(c); s.m != nullptr; s = depot_.take_idle(c))
        flush(c, s);
    discard(c, depot_.sweep(c));
}

void front::return_rested() noexcept {
    if (!uses_magazines())
        return;
    if (seen_ == nullptr)
        seen_ = static_cast<magazine_row*>(records_->allocate(cache_.rows() * sizeof(magazine_row)));
    if (seen_ == nullptr)
        return;
    cache::holdings all;
    cache_.collect_rested(all, seen_);
    flush_all(all);
    for (unsigned i = 1; i <= slab_classes; ++i)
        return_idle_depot(size_class{static_cast<uint8_t>(i)});
}

// Now and then, on slow paths: what nobody has needed for a while goes down a tier, and from the lowest to
// the system.
void front::tick() noexcept {
    const uint64_t now = source_->now_ms();
    uint64_t due = next_tick_ms_.load(std::memory_order_relaxed);
    const size_t committed = pages_->committed_bytes();
    const bool growing = committed > committed_at_tick_.load(std::memory_order_relaxed);
    if (now + (growing ? tick_every_ms - growth_tick_ms : 0) < due ||
        !next_tick_ms_.compare_exchange_strong(due, now + tick_every_ms, std::memory_order_relaxed))
        return;
    committed_at_tick_.store(committed, std::memory_order_relaxed);
    rows_before_.store(rows_seen_.exchange(1, std::memory_order_relaxed), std::memory_order_relaxed);
    if (rows_in_use() > uncrowded_rows || is_crowded())
        divide_among_rows();
    for (unsigned i = 1; i < all_classes; ++i) {
        const size_class c{static_cast<uint8_t>(i)};
        age(c);
        if (!is_run_class(c) && !depot_.is_vacant(c))
            return_idle_depot(c);
    }
    drain_parked();
    pages_->tick();
    // Only whoever has the tick comes here, and nothing has rested at the first.
    if (next_holes_ms_ == 0)
        next_holes_ms_ = now + holes_every_ms;
    else if (now >= next_holes_ms_)
        return_holes(now);
}

void front::set_attended(bool yes) noexcept {
    attended_in_.store(yes ? os::generation() : 0, std::memory_order_relaxed);
}

// Where nobody else does: what slabs have had to spare for two of these intervals.
void front::return_holes(uint64_t now) noexcept {
    constexpr unsigned rest = 2;
    next_holes_ms_ = now + holes_every_ms;
    bool left = false;
    if (settings_->decay_ms >= 0 && attended_in_.load(std::memory_order_relaxed) != os::generation())
        slabs_->give_holes_back(rest, left);
}

size_t front::cached(size_class c) noexcept {
    return cache_.count(c) + (is_run_class(c) ? 0 : depot_.count(c));
}

} // namespace lowtide
