#include "face.h"

#include "lowtide/lowtide.h"

#include <cerrno>
#include <cstdlib>
#include <malloc.h>
#include <new>

extern "C" {
// Weak: the C library at hand doesn't have them, and a program on another allocator must be able to say so.
void free_sized(void* p, size_t size) noexcept __attribute__((weak));
void free_aligned_sized(void* p, size_t alignment, size_t size) noexcept __attribute__((weak));
__attribute__((weak)) decltype(lowtide_owns) lowtide_owns;
__attribute__((weak)) decltype(lowtide_stats) lowtide_stats;
}

namespace stress::face {

namespace {

constexpr size_t any_alignment = size_t{1} << 30;
constexpr size_t plain = 16;
constexpr size_t least_page = 4096; // of any system

size_t at_least_pointer(size_t alignment) {
    return alignment < sizeof(void*) ? sizeof(void*) : alignment;
}

void* posix(size_t alignment, size_t size) {
    void* p = nullptr;
    const int error = posix_memalign(&p, at_least_pointer(alignment), size);
    if (error != 0)
        errno = error;
    return error == 0 ? p : nullptr;
}

// What throws returns null instead.
template <typename Function>
void* quietly(Function function) {
    try {
        return function();
    } catch (const std::bad_alloc&) {
        errno = ENOMEM;
        return nullptr;
    }
}

constexpr allocation all_allocations[] = {
    {"malloc", [](size_t, size_t n) { return malloc(n); }, plain, false, false},
    {"malloc", [](size_t, size_t n) { return malloc(n); }, plain, false, false}, // twice as often
    {"calloc", [](size_t, size_t n) { return calloc(n, 1); }, plain, true, false},
    {"calloc of 3", [](size_t, size_t n) { return calloc(3, n / 3 + 1); }, plain, true, false},
    {"realloc of null", [](size_t, size_t n) { return realloc(nullptr, n); }, plain, false, false},
    {"reallocarray of null", [](size_t, size_t n) { return reallocarray(nullptr, 1, n); }, plain, false,
     false},
    {"memalign", [](size_t a, size_t n) { return memalign(a, n); }, any_alignment, false, false},
    {"aligned_alloc", [](size_t a, size_t n) { return aligned_alloc(a, n); }, any_alignment, false, false},
    {"posix_memalign", posix, any_alignment, false, false},
    {"valloc", [](size_t, size_t n) { return valloc(n); }, least_page, false, false},
    {"pvalloc", [](size_t, size_t n) { return pvalloc(n); }, least_page, false, false},
    {"new", [](size_t, size_t n) { return quietly([=] { return ::operator new(n); }); }, plain, false, true},
    {"new[]", [](size_t, size_t n) { return quietly([=] { return ::operator new[](n); }); }, plain, false,
     true},
    {"new nothrow", [](size_t, size_t n) { return ::operator new(n, std::nothrow); }, plain, false, true},
    {"new aligned",
     [](size_t a, size_t n) { return quietly([=] { return ::operator new(n, std::align_val_t(a)); }); },
     any_alignment, false, true},
};

constexpr release all_releases[] = {
    {"free", [](void* p, size_t, size_t) { free(p); }, false, false},
    {"free", [](void* p, size_t, size_t) { free(p); }, true, false},
    {"free_sized", [](void* p, size_t, size_t n) { free_sized(p, n); }, false, false},
    {"free_aligned_sized", [](void* p, size_t a, size_t n) { free_aligned_sized(p, a, n); }, true, false},
    {"delete", [](void* p, size_t, size_t) { ::operator delete(p); }, false, true},
    {"delete sized", [](void* p, size_t, size_t n) { ::operator delete(p, n); }, false, true},
    {"delete aligned", [](void* p, size_t a, size_t) { ::operator delete(p, std::align_val_t(a)); }, true,
     true},
    {"delete aligned sized",
     [](void* p, size_t a, size_t n) { ::operator delete(p, n, std::align_val_t(a)); }, true, true},
};

} // namespace

std::span<const allocation> allocations() {
    return all_allocations;
}
std::span<const release> releases() {
    return all_releases;
}

void* reallocate(void* p, size_t size) {
    return realloc(p, size);
}
size_t usable_size(void* p) {
    return malloc_usable_size(p);
}
void trim() {
    malloc_trim(0);
}
bool owns(const void* p) {
    return lowtide_owns != nullptr && lowtide_owns(p) != 0;
}

size_t live_bytes() {
    lowtide_statistics now = {};
    now.size = sizeof(now);
    return lowtide_stats != nullptr && lowtide_stats(&now) == 0 ? now.live : 0;
}

} // namespace stress::face
