#include "pool/own_heap.h"

#include "os/vm.h"
#include "pages/runs.h"

#include <cstring>

namespace lowtide {

namespace {

constexpr uint32_t most_bitmap_words = [] {
    uint32_t most = 0;
    for (unsigned i = 1; i <= slab_classes; ++i) {
        const uint32_t words = (geometries[i].capacity + 63u) / 64;
        most = words > most ? words : most;
    }
    return most;
}();

} // namespace

own_heap::own_heap(const heap_surroundings& around, slab_shards* shards, const char* name) noexcept
    : around_(around), shards_(shards), slabs_(shards, around.pages, around.map, around.records, this) {
    strncpy(name_, name, sizeof(name_) - 1);
}

// ---- allocate

void* own_heap::allocate_run(size_t size, size_t alignment, bool& zeroed) noexcept {
    constexpr size_t record = sizeof(owned_prefix) + sizeof(span);
    if (size > max_run_bytes || alignment > max_run_bytes)
        return nullptr;
    auto* prefix = static_cast<owned_prefix*>(around_.records->allocate(record));
    if (prefix == nullptr)
        return nullptr;
    const slice_count length = slice_count::holding(size);
    const page_run run = around_.pages->allocate_aligned(length, alignment);
    if (run.base == 0) {
        around_.records->deallocate(prefix, record);
        return nullptr;
    }
    prefix->owner = static_cast<span_owner*>(this);
    span& s = prefix->of();
    s.owned = true;
    s.base = run.base;
    s.kind = span_kind::run;
    s.capacity = 1;
    s.length = length;
    s.object_size = length.bytes();
    around_.map->set_single(s.base, length, &s);
    add(*prefix);
    count_run(s);
    zeroed = run.zeroed;
    return reinterpret_cast<void*>(run.base);
}

void own_heap::count_run(const span& s) noexcept {
    runs_.fetch_add(1, std::memory_order_relaxed);
    run_bytes_.fetch_add(s.object_size, std::memory_order_relaxed);
}

void own_heap::uncount_run(const span& s) noexcept {
    runs_.fetch_sub(1, std::memory_order_relaxed);
    run_bytes_.fetch_sub(s.object_size, std::memory_order_relaxed);
}

void* own_heap::try_allocate(size_t size, size_t alignment, bool& zeroed) noexcept {
    zeroed = false;
    size = size == 0 ? 1 : size;
    if (size > max_slab_object || alignment > slice_size)
        return allocate_run(size, alignment, zeroed);
    const size_class c = class_holding(size, alignment);
    if (is_run_class(c))
        return allocate_run(size, alignment, zeroed);
    void* object = nullptr;
    return slabs_.take(c, &object + 1, 1) == 1 ? object : nullptr;
}

void* own_heap::allocate_any(size_t size, size_t alignment, bool& zeroed) noexcept {
    void* object = try_allocate(size, alignment, zeroed);
    if (object == nullptr && around_.relieve() != 0)
        object = try_allocate(size, alignment, zeroed);
    return object;
}

void* own_heap::allocate(size_t size, size_t alignment) noexcept {
    bool zeroed = false;
    return allocate_any(size, alignment, zeroed);
}

void* own_heap::allocate_zeroed(size_t size) noexcept {
    bool zeroed = false;
    void* object = allocate_any(size, min_alignment, zeroed);
    if (object != nullptr && !zeroed)
        os::zero(object, size);
    return object;
}

// ---- release

void own_heap::release_run(span& s) noexcept {
    owned_prefix& prefix = owned_prefix::in_front_of(s);
    if (!remove(prefix))
        return; // a signal handler's free. Rare enough to lose a run for.
    uncount_run(s);
    around_.map->clear_single(s.base, s.length);
    static_cast<void>(around_.pages->deallocate(s.base, s.length));
    around_.records->deallocate(&prefix, sizeof(owned_prefix) + sizeof(span));
}

void own_heap::release(span& s, void* object) noexcept {
    if (s.kind == span_kind::run)
        return release_run(s);
    const give_result result = slabs_.give(s.sc, &object, 1);
    if (result.error != free_error::none)
        around_.report(result.error, object, &s);
}

void* own_heap::reallocate(span& s, void* object, size_t size) noexcept {
    const free_error error = s.kind == span_kind::slab ? slabs_.examine(s, object) : free_error::none;
    if (error != free_error::none)
        around_.report(error, object, &s);
    if (wastes_little(s.object_size, size))
        return object;
    const slice_count wanted = slice_count::holding(size);
    if (s.kind == span_kind::run && size <= max_request / 2 && wanted.n > s.length.n &&
        around_.pages->extend(s.base, s.length, {wanted.n - s.length.n})) {
        uncount_run(s);
        change([&] {
            s.length = wanted;
            s.object_size = wanted.bytes();
        });
        count_run(s);
        around_.map->set_single(s.base, wanted, &s);
        return object;
    }
    void* to = allocate(size);
    if (to == nullptr)
        return size <= s.object_size ? object : nullptr;
    memcpy(to, object, size < s.object_size ? size : s.object_size);
    release(s, object);
    return to;
}

void own_heap::destroy() noexcept {
    __atomic_store_n(&magic_, 0, __ATOMIC_RELAXED);
    span_owner::end();
    slabs_.await_all(); // who was in there has come out, or is told
    while (span* s = first()) {
        if (s->kind == span_kind::run)
            release_run(*s);
        else
            slabs_.abandon(*s);
    }
}

// ---- what there is

// What a span was when it was looked at; those who free what is in it may be quick.
struct own_heap::seen_span {
    uintptr_t base = 0;
    size_t size = 0; // of an object
    uint32_t capacity = 0;
    uint64_t free[most_bitmap_words]{};
};

void own_heap::look_at(span& s, seen_span& seen) noexcept {
    seen.base = s.base;
    seen.size = s.object_size;
    seen.capacity = s.capacity;
    if (s.kind == span_kind::run)
        seen.free[0] = 0;
    else if (!slabs_.copy_free(s, seen.free, most_bitmap_words))
        seen.capacity = 0;
}

int own_heap::walk(int (*visit)(void*, size_t, void*), void* data) noexcept {
    // Not on the stack: in a child of fork the thread that walks is gone, and its mark is still there.
    auto* mark = static_cast<owned_prefix*>(around_.records->allocate(sizeof(owned_prefix)));
    if (mark == nullptr)
        return 0;
    size_t left = 0; // of those that others add meanwhile there is no end
    for_each([&left](span&) { ++left; });
    begin_walk(*mark);
    seen_span seen;
    int answer = 0;
    for (; answer == 0 && left != 0 && look_at_next(*mark, [&](span& s) { look_at(s, seen); }); --left) {
        for (uint32_t i = 0; i < seen.capacity && answer == 0; ++i)
            if ((seen.free[i / 64] >> (i % 64) & 1) == 0)
                answer = visit(reinterpret_cast<void*>(seen.base + i * seen.size), seen.size, data);
    }
    end_walk(*mark);
    around_.records->deallocate(mark, sizeof(owned_prefix));
    return answer;
}

own_heap_counts own_heap::counts() noexcept {
    own_heap_counts n;
    for (unsigned i = 1; i <= slab_classes; ++i) {
        const size_class c{static_cast<uint8_t>(i)};
        const class_counts in = slabs_.counts(c);
        n.objects += in.objects - in.free_objects;
        n.live_bytes += (in.objects - in.free_objects) * object_size(c);
    }
    for_each([&n](span& s) { n.held_bytes += s.length.bytes(); });
    n.objects += runs_.load(std::memory_order_relaxed);
    n.live_bytes += run_bytes_.load(std::memory_order_relaxed);
    return n;
}

} // namespace lowtide
