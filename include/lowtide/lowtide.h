/* Lowtide's own functions, for C and C++. malloc and its relatives are declared where they always were: <stdlib.h>,
 * <malloc.h>, <new>. A program that may run without Lowtide looks these up with dlsym(3) or declares them weak. */
#ifndef LOWTIDE_LOWTIDE_H
#define LOWTIDE_LOWTIDE_H

#include <stddef.h>

#ifdef __cplusplus
#define LOWTIDE_NOEXCEPT noexcept
extern "C" {
#else
#define LOWTIDE_NOEXCEPT
#endif

/* The version as text, such as "0.1.0"; static storage. Thread- and async-signal-safe. */
const char* lowtide_version(void) LOWTIDE_NOEXCEPT;

/* 1 if `p` lies in memory that Lowtide has handed out or keeps in its caches, else 0, whatever `p` is. Never reads
 * through `p`. Thread- and async-signal-safe; errno is left alone. */
int lowtide_owns(const void* p) LOWTIDE_NOEXCEPT;

/* Bytes, at one moment; exact when no other thread is in the allocator. */
struct lowtide_statistics {
    size_t size;      /* set to sizeof(struct lowtide_statistics) by the caller: later versions append fields */
    size_t live;      /* usable bytes of all blocks the program holds */
    size_t cached;    /* free blocks in magazines and depots */
    size_t dirty;     /* other free memory that is still resident */
    size_t committed; /* address space that is readable and writable */
    size_t returned;  /* given back to the system since the start */
    size_t metadata;  /* the allocator's own records */
};

/* Fills as many fields as out->size covers and stores the bytes filled there. 0, or -1 with errno EINVAL when `out` is
 * null or its size is too small for the field `size` itself. Thread-safe. */
int lowtide_stats(struct lowtide_statistics* out) LOWTIDE_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif
