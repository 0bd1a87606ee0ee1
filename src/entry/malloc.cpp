// The C surface, apart from the fast paths of malloc and free, and from what asks about the allocator
// (information.cpp). Semantics: C17 7.22.3, C23 7.24.3 (free_sized), POSIX posix_memalign(3p), glibc's
// malloc(3), memalign(3), malloc_usable_size(3).
//
// Every function may be called by any thread and before main; none but free and malloc's success leave errno
// alone by contract, and free does whatever it had to do. What is not async-signal-safe by the standard works
// in a handler all the same (design.md, "signals").
#include "entry/fast_path.h"
#include "entry/heap.h"
#include "os/machine.h"

#include <cerrno>
#include <cstring>
#include <malloc.h>

using namespace lowtide;

namespace {

void* no_memory() noexcept {
    errno = ENOMEM;
    return nullptr;
}

void* or_no_memory(void* p) noexcept {
    return p != nullptr ? p : no_memory();
}

// `alignment` is a power of two.
void* aligned(size_t alignment, size_t size) noexcept {
    if (size > max_request || alignment > max_request)
        return no_memory();
    if (alignment <= min_alignment)
        return lowtide_malloc(size);
    return or_no_memory(the_heap.allocate_aligned(alignment, size));
}

// Zeroes a block that has room for `size` bytes rounded up to 16. A call of memset takes longer than what it
// does to a small one.
void* clear(void* p, size_t size) noexcept {
    constexpr size_t step = min_alignment;
    const size_t bytes = size == 0 ? step : align_up(size, step);
    if (bytes > 4 * step)
        return memset(p, 0, bytes);
    auto* begin = static_cast<char*>(p);
    char* end = begin + bytes;
    __builtin_memset(begin, 0, step);
    __builtin_memset(end - step, 0, step);
    if (bytes > 2 * step) {
        __builtin_memset(begin + step, 0, step);
        __builtin_memset(end - 2 * step, 0, step);
    }
    return p;
}

} // namespace

#pragma GCC visibility push(default)

extern "C" {

void* lowtide_malloc_slow(size_t size) noexcept {
    return size > max_request ? no_memory() : or_no_memory(the_heap.allocate(size));
}

void lowtide_free_slow(void* p) noexcept {
    if (p != nullptr)
        the_heap.release(p, "free");
}

void* calloc(size_t count, size_t size) noexcept {
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > max_request)
        return no_memory();
    if (bytes > max_slab_object) // of smaller ones nobody knows whether they are zero
        return or_no_memory(the_heap.allocate_zeroed(bytes));
    void* p = lowtide_malloc(bytes);
    return p == nullptr ? nullptr : clear(p, bytes);
}

void* realloc(void* p, size_t size) noexcept {
    if (p == nullptr)
        return lowtide_malloc(size);
    if (size == 0) {
        lowtide_free(p);
        return nullptr;
    }
    if (the_heap.stays(p, size)) [[likely]]
        return p;
    return size > max_request ? no_memory() : or_no_memory(the_heap.reallocate(p, size));
}

void* reallocarray(void* p, size_t count, size_t size) noexcept {
    size_t bytes = 0;
    return __builtin_mul_overflow(count, size, &bytes) ? no_memory() : realloc(p, bytes);
}

// C23: the caller's word on the size is a hint to the fast path, and isn't trusted. `check:true` compares.
void lowtide_free_sized_slow(void* p, size_t size) noexcept {
    if (the_heap.settings().check && p != nullptr)
        the_heap.check_size(p, min_alignment, size, "free_sized");
    lowtide_free(p);
}
[[gnu::cold]] void free_aligned_sized(void* p, size_t alignment, size_t size) noexcept {
    if (the_heap.settings().check && p != nullptr && is_power_of_two(alignment))
        the_heap.check_size(p, alignment, size, "free_aligned_sized");
    lowtide_free(p);
}

void* aligned_alloc(size_t alignment, size_t size) noexcept {
    if (!is_power_of_two(alignment)) {
        errno = EINVAL;
        return nullptr;
    }
    return aligned(alignment, size);
}

[[LOWTIDE_RARE]] int posix_memalign(void** result, size_t alignment, size_t size) noexcept {
    if (!is_power_of_two(alignment) || alignment % sizeof(void*) != 0)
        return EINVAL;
    const int before = errno;
    void* p = aligned(alignment, size);
    errno = before;
    if (p == nullptr)
        return ENOMEM;
    *result = p;
    return 0;
}

// As glibc does, an alignment that is no power of two is rounded up to one.
[[LOWTIDE_RARE]] void* memalign(size_t alignment, size_t size) noexcept {
    return alignment > max_request / 2 ? no_memory() : aligned(next_power_of_two(alignment), size);
}

[[gnu::cold]] void* valloc(size_t size) noexcept {
    return aligned(os::page_size(), size);
}

[[gnu::cold]] void* pvalloc(size_t size) noexcept {
    const size_t page = os::page_size();
    return size > max_request - page ? no_memory() : aligned(page, size == 0 ? page : align_up(size, page));
}

size_t malloc_usable_size(void* p) noexcept {
    return p == nullptr ? 0 : the_heap.usable_size(p, "malloc_usable_size");
}

} // extern "C"

#pragma GCC visibility pop
