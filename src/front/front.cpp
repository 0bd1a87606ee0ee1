#include "front/front.h"

#include "os/probe.h"

namespace lowtide {

namespace {

// The first magazine of a class holds about a page: no more is carved than a small program needs.
constexpr size_t first_magazine_bytes = 4 * kibibyte;
// So many objects may wait in the depots for each processor at work: Lua took 0.94 and Python 0.93 of the
// time that they did with 64 magazines a class (docs/design.md).
constexpr size_t depot_objects = 12 * 1024;

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

// ---- round the magazines

void* front::allocate_directly(size_class c) noexcept {
    void* object = nullptr;
    return slabs_->take(c, &object + 1, 1) == 1 ? object : nullptr;
}

void front::release_directly(size_class c, void* const* objects, unsigned count) noexcept {
    LOWTIDE_PROBE(lowtide, flush, object_size(c), count);
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
    LOWTIDE_PROBE(lowtide, refill, object_size(c), taken);
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

size_t front::cached(size_class c) noexcept {
    return cache_.count(c) + (is_run_class(c) ? 0 : depot_.count(c));
}

} // namespace lowtide
