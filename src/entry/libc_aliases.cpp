// The names under which glibc's own objects, and a few programs, call its malloc. Without them a static
// program would get glibc's malloc.o for their sake, every function twice; and with the library preloaded,
// memory from
// __libc_malloc would reach our free.
#include "entry/fast_path.h"

#include <cstdlib>
#include <malloc.h>

#pragma GCC visibility push(default)

extern "C" {

void* __libc_malloc(size_t size) noexcept {
    return lowtide_malloc(size);
}
void __libc_free(void* p) noexcept {
    lowtide_free(p);
}
void __libc_cfree(void* p) noexcept {
    lowtide_free(p);
}
void* __libc_calloc(size_t count, size_t size) noexcept {
    return calloc(count, size);
}
void* __libc_realloc(void* p, size_t size) noexcept {
    return realloc(p, size);
}
void* __libc_reallocarray(void* p, size_t count, size_t size) noexcept {
    return reallocarray(p, count, size);
}
void* __libc_memalign(size_t alignment, size_t size) noexcept {
    return memalign(alignment, size);
}
void* __libc_valloc(size_t size) noexcept {
    return valloc(size);
}
void* __libc_pvalloc(size_t size) noexcept {
    return pvalloc(size);
}
int __posix_memalign(void** result, size_t alignment, size_t size) noexcept {
    return posix_memalign(result, alignment, size);
}
}

#pragma GCC visibility pop
