/* Allocators for the runner's tests: libc's own behind functions of ours, as it is or with a fault.
 * FAKE_COUNTS    writes to the file that FAKE_COUNT_FILE names how many blocks were asked for, when the
 * process ends FAKE_CRASHES   aborts in the 1,000th malloc FAKE_OVERLAPS  has one and the same block for
 * everybody who asks for 64 bytes */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* block, size_t size);
void __libc_free(void* block);

static unsigned long asked;
#ifdef FAKE_OVERLAPS
static _Alignas(16) char shared[64];
static void* const everybodys = shared;
#else
static void* const everybodys = NULL;
#endif

static void count(void) {
    unsigned long now = __atomic_add_fetch(&asked, 1, __ATOMIC_RELAXED);
    (void)now;
#ifdef FAKE_CRASHES
    if (now == 1000)
        abort();
#endif
}

void* malloc(size_t size) {
    count();
    if (everybodys != NULL && size == 64)
        return everybodys;
    return __libc_malloc(size);
}

void* calloc(size_t number, size_t size) {
    count();
    return __libc_calloc(number, size);
}

void* realloc(void* block, size_t size) {
    count();
    return __libc_realloc(block, size);
}

void free(void* block) {
    if (block != everybodys)
        __libc_free(block);
}

#ifdef FAKE_COUNTS
__attribute__((destructor)) static void tell(void) {
    const char* path = getenv("FAKE_COUNT_FILE");
    char text[32];
    int length = snprintf(text, sizeof text, "%lu", asked);
    int file = path == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file < 0 || write(file, text, (size_t)length) != length)
        abort();
    close(file);
}
#endif
