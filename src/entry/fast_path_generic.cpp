// The entry points for machines without an assembly of their own: the slow paths try the magazines first.
#include "entry/fast_path.h"

#include <new>

namespace lowtide {

void prepare_fast_paths(const cache&) noexcept {}

} // namespace lowtide

extern "C" {

void* lowtide_malloc(size_t size) {
    return lowtide_malloc_slow(size);
}

void lowtide_free(void* p) noexcept {
    lowtide_free_slow(p);
}

__attribute__((visibility("default"), malloc)) void* malloc(size_t size) noexcept {
    return lowtide_malloc_slow(size);
}
__attribute__((visibility("default"))) void free(void* p) noexcept {
    lowtide_free_slow(p);
}
__attribute__((visibility("default"))) void free_sized(void* p, size_t size) noexcept {
    lowtide_free_sized_slow(p, size);
}
__attribute__((visibility("default"))) void cfree(void* p) noexcept {
    lowtide_free_slow(p);
}
}

__attribute__((visibility("default"))) LOWTIDE_REPLACEABLE void operator delete(void* p) noexcept {
    lowtide_free_slow(p);
}
