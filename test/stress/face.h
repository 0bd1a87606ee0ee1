// The allocator under test, as the operations see it: every way to get a block and every way to give one
// back. There are two: the process's malloc and operator new (face_libc.cpp), and the heap without its
// surface, for builds in which a sanitizer has malloc (face_heap.cpp).
#pragma once

#include <cstddef>
#include <span>

namespace stress::face {

struct allocation {
    const char* name;
    // Null when memory is short, with ENOMEM in errno.
    void* (*call)(size_t alignment, size_t size);
    size_t max_alignment; // what of `alignment` it honours; a power of two
    bool zeroed;
    bool cxx; // to be given back by a release that is, too
};

struct release {
    const char* name;
    void (*call)(void* p, size_t alignment, size_t size); // what was asked for
    bool aligned; // may be used for blocks whose allocation was told an alignment, and for no others
    bool cxx;
};

std::span<const allocation> allocations();
std::span<const release> releases();

void* reallocate(void* p, size_t size);
size_t usable_size(void* p);
void trim();
bool owns(const void* p);
// Usable bytes of all live blocks; exact when no other thread allocates.
size_t live_bytes();

} // namespace stress::face
