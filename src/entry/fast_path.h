// The fast paths of malloc, operator new and free, and what they fall into. In assembly on x86-64
// (fast_path_x86_64.S), plain jumps to the slow paths elsewhere (fast_path_generic.cpp).
#pragma once

#include "front/cache.h"

namespace lowtide {

// Lets the fast paths work, where the machine has what they need.
void prepare_fast_paths(const cache& words) noexcept;

} // namespace lowtide

// In the static library a program's own operator new and delete win over ours.
#ifdef LOWTIDE_SHARED
#define LOWTIDE_REPLACEABLE
#else
#define LOWTIDE_REPLACEABLE __attribute__((weak))
#endif

extern "C" {

// malloc and free under names that no other library can take over.
__attribute__((visibility("hidden"))) void* lowtide_malloc(size_t size);
__attribute__((visibility("hidden"))) void lowtide_free(void* p) noexcept;

// Where the fast paths go when they can't: with the arguments as they were.
__attribute__((visibility("hidden"))) void* lowtide_malloc_slow(size_t size) noexcept;
__attribute__((visibility("hidden"))) void lowtide_free_slow(void* p) noexcept;
__attribute__((visibility("hidden"))) void lowtide_free_sized_slow(void* p, size_t size) noexcept;
__attribute__((visibility("hidden"))) void lowtide_delete_sized_slow(void* p, size_t size) noexcept;
// operator new(size): calls the new_handler and throws.
__attribute__((visibility("hidden"))) void* lowtide_new_slow(size_t size);
}
