/* A library that takes memory, keeps some in its static objects until it is closed, and leaves some behind.
 */
#ifndef LOWTIDE_TEST_HOLDER_H
#define LOWTIDE_TEST_HOLDER_H

#include <stddef.h>

#define HOLDER_BLOCKS 40
#define HOLDER_MARK 0x3c

static inline size_t holder_size(int index) {
    return (size_t)(1 + index * index * 400);
}

/* holder_take: fills the array with blocks of the sizes above; 0 if all went well. */
typedef int (*holder_take_function)(void** blocks);
/* holder_use: allocates, grows and frees within the library only; 0 if all went well. */
typedef int (*holder_use_function)(void);

#endif
