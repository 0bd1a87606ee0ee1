/* Every way in which C asks for memory, as one table of functions of a size: a promise that holds for all of
   them is checked through all of them. The C++ ways are in forms.h. */
#ifndef LOWTIDE_TEST_ABI_WAYS_H
#define LOWTIDE_TEST_ABI_WAYS_H

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "sizes.h"

struct way {
    const char* name;
    void* (*get)(size_t size);
    size_t alignment; /* what it must give */
};

static inline void* by_malloc(size_t size) {
    return malloc(size);
}
static inline void* by_calloc_of_one(size_t size) {
    return calloc(1, size);
}
static inline void* by_calloc_of_bytes(size_t size) {
    return calloc(size, 1);
}
static inline void* by_realloc(size_t size) {
    return realloc(NULL, size);
}
static inline void* by_reallocarray_of_one(size_t size) {
    return reallocarray(NULL, 1, size);
}
static inline void* by_reallocarray_of_bytes(size_t size) {
    return reallocarray(NULL, size, 1);
}
static inline void* by_aligned_alloc_1(size_t size) {
    return aligned_alloc(1, size);
}
static inline void* by_aligned_alloc_64(size_t size) {
    return aligned_alloc(64, size);
}
static inline void* by_memalign_8(size_t size) {
    return memalign(8, size);
}
static inline void* by_memalign_8192(size_t size) {
    return memalign(8192, size);
}
static inline void* by_valloc(size_t size) {
    return valloc(size);
}
static inline void* by_pvalloc(size_t size) {
    return pvalloc(size);
}

/* posix_memalign returns what the others leave in errno. */
static inline void* by_posix_memalign(size_t alignment, size_t size) {
    void* block = NULL;
    const int code = posix_memalign(&block, alignment, size);
    if (code)
        errno = code;
    return block;
}
static inline void* by_posix_memalign_8(size_t size) {
    return by_posix_memalign(8, size);
}
static inline void* by_posix_memalign_64k(size_t size) {
    return by_posix_memalign(64 * KIB, size);
}

static const struct way ways[] = {
    {"malloc(size)", by_malloc, 16},
    {"calloc(1, size)", by_calloc_of_one, 16},
    {"calloc(size, 1)", by_calloc_of_bytes, 16},
    {"realloc(NULL, size)", by_realloc, 16},
    {"reallocarray(NULL, 1, size)", by_reallocarray_of_one, 16},
    {"reallocarray(NULL, size, 1)", by_reallocarray_of_bytes, 16},
    {"aligned_alloc(1, size)", by_aligned_alloc_1, 16},
    {"aligned_alloc(64, size)", by_aligned_alloc_64, 64},
    {"posix_memalign(8, size)", by_posix_memalign_8, 16},
    {"posix_memalign(64 KiB, size)", by_posix_memalign_64k, 64 * KIB},
    {"memalign(8, size)", by_memalign_8, 16},
    {"memalign(8192, size)", by_memalign_8192, 8192},
    {"valloc(size)", by_valloc, 4096},
    {"pvalloc(size)", by_pvalloc, 4096},
};

#endif
