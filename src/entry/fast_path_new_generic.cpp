// operator new(size_t) and operator delete(void*, size_t) for machines without an assembly of their own.
#include "entry/fast_path.h"

#include <new>

__attribute__((visibility("default"))) LOWTIDE_REPLACEABLE void* operator new(size_t size) {
    return lowtide_new_slow(size);
}

__attribute__((visibility("default"))) LOWTIDE_REPLACEABLE void operator delete(void* p,
                                                                                size_t size) noexcept {
    lowtide_delete_sized_slow(p, size);
}
