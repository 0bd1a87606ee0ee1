/* An audit library (LD_AUDIT): ld.so calls it while it loads the program, before any constructor. It lives in
 * a namespace of its own, with a C library of its own, so it looks up malloc as the program sees it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

static struct link_map* program;

unsigned la_version(unsigned version) {
    return version;
}

unsigned la_objopen(struct link_map* map, Lmid_t space, uintptr_t* cookie) {
    (void)cookie;
    if (space == LM_ID_BASE && program == NULL) {
        program = map;
    }
    return 0;
}

void la_preinit(uintptr_t* cookie) {
    static const char said[] = "audit: allocated before main\n";
    void* (*program_malloc)(size_t);
    void* (*program_realloc)(void*, size_t);
    void (*program_free)(void*);
    char* block;
    int round;
    (void)cookie;
    *(void**)&program_malloc = dlsym(program, "malloc");
    *(void**)&program_realloc = dlsym(program, "realloc");
    *(void**)&program_free = dlsym(program, "free");
    if (!program_malloc || !program_realloc || !program_free) {
        return;
    }
    for (round = 0; round < 100; ++round) {
        size_t size = (size_t)16 << (round % 18);
        block = program_malloc(size);
        if (block == NULL) {
            return;
        }
        memset(block, 'a', size);
        block = program_realloc(block, size * 2);
        if (block == NULL || block[0] != 'a' || block[size - 1] != 'a') {
            return;
        }
        if (round % 2 == 0) {
            program_free(block);
        }
    }
    if (write(1, said, sizeof said - 1) < 0) {
        _exit(1);
    }
}
