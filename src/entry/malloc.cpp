// The C surface, apart from the fast paths of malloc and free. Semantics: C17 7.22.3, C23 7.24.3
// (free_sized), POSIX posix_memalign(3p), glibc's malloc(3), memalign(3), malloc_usable_size(3), mallopt(3),
// mallinfo(3), malloc_info(3).
//
// Every function may be called by any thread and before main; none but free and malloc's success leave errno
// alone by contract, and free does whatever it had to do. What is not async-signal-safe by the standard works
// in a handler all the same (design.md, "signals").
#include "entry/fast_path.h"
#include "entry/heap.h"
#include "lowtide/lowtide.h"
#include "observe/text.h"
#include "os/machine.h"

#include <cerrno>
#include <cstdio>
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

account current_account() noexcept {
    account a;
    the_heap.fill(a);
    return a;
}

void to_stderr(void*, const char* text, size_t size) noexcept {
    os::write_all(2, text, size);
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
    return size > max_request ? no_memory() : or_no_memory(the_heap.reallocate(p, size));
}

void* reallocarray(void* p, size_t count, size_t size) noexcept {
    size_t bytes = 0;
    return __builtin_mul_overflow(count, size, &bytes) ? no_memory() : realloc(p, bytes);
}

// C23: the caller's word on the size isn't needed here, and isn't trusted.
void free_sized(void* p, size_t) noexcept {
    lowtide_free(p);
}
void free_aligned_sized(void* p, size_t, size_t) noexcept {
    lowtide_free(p);
}

void* aligned_alloc(size_t alignment, size_t size) noexcept {
    if (!is_power_of_two(alignment)) {
        errno = EINVAL;
        return nullptr;
    }
    return aligned(alignment, size);
}

int posix_memalign(void** result, size_t alignment, size_t size) noexcept {
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
void* memalign(size_t alignment, size_t size) noexcept {
    return alignment > max_request / 2 ? no_memory() : aligned(next_power_of_two(alignment), size);
}

void* valloc(size_t size) noexcept {
    return aligned(os::page_size(), size);
}

void* pvalloc(size_t size) noexcept {
    const size_t page = os::page_size();
    return size > max_request - page ? no_memory() : aligned(page, size == 0 ? page : align_up(size, page));
}

size_t malloc_usable_size(void* p) noexcept {
    return p == nullptr ? 0 : the_heap.usable_size(p, "malloc_usable_size");
}

int malloc_trim(size_t) noexcept {
    return the_heap.trim() != 0 ? 1 : 0;
}

// There is nothing to tune by these here; known ones are accepted so that programs that set them go on.
int mallopt(int parameter, int) noexcept {
    switch (parameter) {
    case M_MXFAST:
    case M_NLBLKS:
    case M_GRAIN:
    case M_KEEP:
    case M_TRIM_THRESHOLD:
    case M_TOP_PAD:
    case M_MMAP_THRESHOLD:
    case M_MMAP_MAX:
    case M_CHECK_ACTION:
    case M_PERTURB:
    case M_ARENA_TEST:
    case M_ARENA_MAX:
        return 1;
    default:
        return 0;
    }
}

struct mallinfo2 mallinfo2(void) noexcept {
    const account a = current_account();
    struct mallinfo2 m {};
    m.arena = a.pages.committed_bytes + a.huge_bytes;
    m.hblks = a.huge_count;
    m.hblkhd = a.huge_bytes;
    m.uordblks = a.live_bytes;
    m.fordblks = m.arena > a.live_bytes ? m.arena - a.live_bytes : 0;
    m.keepcost = a.pages.dirty_bytes;
    for (const class_account& c : a.classes)
        m.ordblks += c.objects - c.live;
    return m;
}

struct mallinfo mallinfo(void) noexcept {
    const auto clamped = [](size_t n) { return n > INT32_MAX ? INT32_MAX : static_cast<int>(n); };
    const struct mallinfo2 m = mallinfo2();
    struct mallinfo narrow {};
    narrow.arena = clamped(m.arena);
    narrow.ordblks = clamped(m.ordblks);
    narrow.hblks = clamped(m.hblks);
    narrow.hblkhd = clamped(m.hblkhd);
    narrow.uordblks = clamped(m.uordblks);
    narrow.fordblks = clamped(m.fordblks);
    narrow.keepcost = clamped(m.keepcost);
    return narrow;
}

void malloc_stats(void) noexcept {
    char buffer[1024];
    const account a = current_account();
    printer out(buffer, to_stderr);
    print_account(out, a);
}

int malloc_info(int options, FILE* stream) noexcept {
    if (options != 0) {
        errno = EINVAL;
        return -1;
    }
    char buffer[1024];
    const account a = current_account();
    printer out(
        buffer,
        [](void* to, const char* text, size_t size) noexcept {
            fwrite(text, 1, size, static_cast<FILE*>(to));
        },
        stream);
    print_xml(out, a);
    return 0;
}

const char* lowtide_version(void) noexcept {
    return LOWTIDE_VERSION;
}

int lowtide_owns(const void* p) noexcept {
    return the_heap.owns(p) ? 1 : 0;
}

int lowtide_stats(struct lowtide_statistics* out) noexcept {
    if (out == nullptr || out->size < sizeof(out->size)) {
        errno = EINVAL;
        return -1;
    }
    const account a = current_account();
    const struct lowtide_statistics now = {sizeof(now),
                                           a.live_bytes,
                                           a.cached_bytes,
                                           a.pages.dirty_bytes,
                                           a.pages.committed_bytes + a.huge_bytes,
                                           a.returned_bytes,
                                           a.metadata_bytes};
    const size_t known = out->size < sizeof(now) ? out->size : sizeof(now);
    memcpy(out, &now, known);
    out->size = known;
    return 0;
}

} // extern "C"

#pragma GCC visibility pop
