/* The functions of Lowtide that libc's headers do not declare. A program that is to run under LD_PRELOAD
   cannot link them, so there they are looked up by name; the linked and the static programs take them from
   the linker. */
#ifndef LOWTIDE_TEST_ABI_FACE_H
#define LOWTIDE_TEST_ABI_FACE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct face {
    int (*owns)(const void* pointer);
    void (*cfree)(void* block);
    void (*free_sized)(void* block, size_t size);
    void (*free_aligned_sized)(void* block, size_t alignment, size_t size);
};

extern struct face lowtide;

/* Fills it in; the name of a function that is missing, or NULL. */
const char* load_face(void);

#ifdef __cplusplus
}
#endif

#endif
