/* A library with a large thread-local block; see thread_locals.h. */
#include "thread_locals.h"

#include <stdint.h>

#define WORDS 3000

static _Thread_local _Alignas(256) uintptr_t words[WORDS] = {7};
static _Thread_local int calls;

int thread_locals_touch(void);
int thread_locals_touch(void) {
    int i;
    if ((uintptr_t)words % 256 != 0 || words[0] != 7) {
        return -1;
    }
    for (i = 1; i < WORDS; ++i) {
        if (words[i] != (calls == 0 ? 0 : (uintptr_t)&words[i])) {
            return -1;
        }
        words[i] = (uintptr_t)&words[i];
    }
    return calls++;
}
