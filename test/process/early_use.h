/* What code that runs very early or very late does with memory: each function once, and one block kept. For
 * constructors, preinit, IFUNC resolvers, ld.so's audit hooks, and their counterparts at the end. In C, so
 * that it drags in no C++ start-up; nothing of the C library is called but malloc's family. */
#ifndef LOWTIDE_TEST_EARLY_USE_H
#define LOWTIDE_TEST_EARLY_USE_H

#include <stddef.h>
#include <stdlib.h>

#define EARLY_SIZE 200

/* The block that was kept, and whether all went well. */
struct early_note {
    unsigned char* kept;
    int fine;
};

static inline int early_block_is(const unsigned char* block, size_t size, unsigned char value) {
    size_t i;
    for (i = 0; i < size; ++i) {
        if (block[i] != value) {
            return 0;
        }
    }
    return 1;
}

static inline void early_fill(unsigned char* block, size_t size, unsigned char value) {
    volatile unsigned char* bytes = block;
    size_t i;
    for (i = 0; i < size; ++i) {
        bytes[i] = value;
    }
}

static inline void early_use(struct early_note* note) {
    unsigned char* zeroed = (unsigned char*)calloc(3, 1000);
    unsigned char* block = (unsigned char*)malloc(100);
    unsigned char* large = (unsigned char*)malloc(3000000);
    void* aligned = NULL;
    int fine = zeroed && block && large && posix_memalign(&aligned, 4096, 100) == 0;
    note->fine = 0;
    note->kept = NULL;
    if (!fine || !early_block_is(zeroed, 3000, 0) || (size_t)aligned % 4096 != 0) {
        return;
    }
    early_fill(zeroed, 3000, 0x11);
    early_fill(block, 100, 0x22);
    early_fill(large, 3000000, 0x33);
    block = (unsigned char*)realloc(block, 5000);
    if (block == NULL || !early_block_is(block, 100, 0x22) || !early_block_is(zeroed, 3000, 0x11)) {
        return;
    }
    free(aligned);
    free(large);
    free(zeroed);
    note->kept = (unsigned char*)realloc(block, EARLY_SIZE);
    if (note->kept != NULL && early_block_is(note->kept, 100, 0x22)) {
        early_fill(note->kept, EARLY_SIZE, 0x44);
        note->fine = 1;
    }
}

/* Later: the kept block is as it was; it is freed. */
static inline int early_kept_is_intact(struct early_note* note) {
    int intact = note->fine && early_block_is(note->kept, EARLY_SIZE, 0x44);
    free(note->kept);
    note->kept = NULL;
    return intact;
}

#endif
