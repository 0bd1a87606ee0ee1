/* A library with a large, aligned thread-local block, which ld.so allocates when a thread first touches it.
 */
#ifndef LOWTIDE_TEST_THREAD_LOCALS_H
#define LOWTIDE_TEST_THREAD_LOCALS_H

/* thread_locals_touch: says how often this thread has called it before, -1 if the block is not as it should
 * be. */
typedef int (*thread_locals_function)(void);

#endif
