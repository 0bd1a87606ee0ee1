// The heap of entry/heap.h alone. Its fast paths and rseq are nothing that a sanitizer can see: the caches
// are the locked ones here (LOWTIDE_CONF=rseq:false), which are the same words under a lock.
#include "face.h"

#include "entry/fast_path.h"
#include "entry/heap.h"

#include <cerrno>

namespace lowtide {

void prepare_fast_paths(const cache&) noexcept {}

} // namespace lowtide

// What the fast paths lead to.
void* lowtide_malloc(size_t size) {
    return lowtide::the_heap.allocate(size);
}
void lowtide_free(void* p) noexcept {
    lowtide::the_heap.release(p, "realloc");
}

namespace stress::face {

namespace {

using lowtide::the_heap;

void* or_no_memory(void* p) {
    if (p == nullptr)
        errno = ENOMEM;
    return p;
}

constexpr size_t plain = lowtide::min_alignment;

constexpr allocation all_allocations[] = {
    {"allocate", [](size_t, size_t n) { return or_no_memory(the_heap.allocate(n)); }, plain, false, false},
    {"allocate_zeroed", [](size_t, size_t n) { return or_no_memory(the_heap.allocate_zeroed(n)); }, plain,
     true, false},
    {"allocate_aligned",
     [](size_t a, size_t n) { return or_no_memory(the_heap.allocate_aligned(a < plain ? plain : a, n)); },
     size_t{1} << 30, false, false},
};

constexpr release all_releases[] = {
    {"release", [](void* p, size_t, size_t) { the_heap.release(p, "free"); }, false, false},
    {"release", [](void* p, size_t, size_t) { the_heap.release(p, "free"); }, true, false},
};

} // namespace

std::span<const allocation> allocations() {
    return all_allocations;
}
std::span<const release> releases() {
    return all_releases;
}

void* reallocate(void* p, size_t size) {
    return or_no_memory(the_heap.reallocate(p, size));
}
size_t usable_size(void* p) {
    return the_heap.usable_size(p, "malloc_usable_size");
}
void trim() {
    the_heap.trim();
}
bool owns(const void* p) {
    return the_heap.owns(p);
}

size_t live_bytes() {
    lowtide::account a;
    the_heap.fill(a);
    return a.live_bytes;
}

} // namespace stress::face
