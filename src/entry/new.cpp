// The C++ surface: the replaceable forms of operator new and delete ([new.delete]). The two plain ones have fast paths
// of their own; the others call them by their public names, as the standard's defaults do, so that a program which
// replaces only those gets the others too.
//
// This file is compiled with exceptions: the nothrow forms must catch what a handler or a replaced form throws. The
// run-time library is not linked, so its functions are weak.
#include "entry/cxx_runtime.h"
#include "entry/fast_path.h"
#include "entry/heap.h"
#include "os/machine.h"

#include <cstdlib>
#include <new>

asm(".weak __gxx_personality_v0\n"
    ".weak __cxa_begin_catch\n"
    ".weak __cxa_end_catch\n"
    ".weak __cxa_rethrow\n"
    ".weak _ZSt9terminatev\n");

extern "C" void* __cxa_begin_catch(void*) noexcept;

using namespace lowtide;

namespace {

// Allocates, or asks the new_handler to make room, until there is none; then throws ([new.delete.single] 4).
template <typename Allocate>
void* insist(Allocate allocate) {
    for (;;) {
        if (void* p = allocate())
            return p;
        if (const lowtide::new_handler handler = current_new_handler())
            handler();
        else
            break;
    }
    throw_bad_alloc();
    return nullptr; // no C++ run-time library: a C program that calls operator new gets what malloc would give
}

void* aligned_for_new(size_t size, std::align_val_t alignment) {
    const auto to = static_cast<size_t>(alignment);
    if (!is_power_of_two(to) || size > max_request || to > max_request)
        return nullptr;
    return to <= min_alignment ? lowtide_malloc(size) : the_heap.allocate_aligned(to, size);
}

// Null instead of an exception.
template <typename Function>
void* quietly(Function function) noexcept {
    try {
        return function();
    } catch (...) {
        return nullptr;
    }
}

} // namespace

#pragma GCC visibility push(default)

void* lowtide_new_slow(size_t size) {
    return insist([size]() -> void* { return size > max_request ? nullptr : the_heap.allocate(size); });
}

void* operator new[](size_t size) { return ::operator new(size); }

void* operator new(size_t size, const std::nothrow_t&) noexcept {
    return quietly([size] { return ::operator new(size); });
}

void* operator new[](size_t size, const std::nothrow_t&) noexcept {
    return quietly([size] { return ::operator new[](size); });
}

void* operator new(size_t size, std::align_val_t alignment) {
    return insist([=] { return aligned_for_new(size, alignment); });
}

void* operator new[](size_t size, std::align_val_t alignment) { return ::operator new(size, alignment); }

void* operator new(size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return quietly([=] { return ::operator new(size, alignment); });
}

void* operator new[](size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return quietly([=] { return ::operator new[](size, alignment); });
}

void operator delete[](void* p) noexcept { ::operator delete(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { ::operator delete(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { ::operator delete[](p); }
void operator delete(void* p, size_t) noexcept { ::operator delete(p); }
void operator delete[](void* p, size_t) noexcept { ::operator delete[](p); }

void operator delete(void* p, std::align_val_t) noexcept { lowtide_free(p); }
void operator delete[](void* p, std::align_val_t alignment) noexcept { ::operator delete(p, alignment); }
void operator delete(void* p, size_t, std::align_val_t alignment) noexcept { ::operator delete(p, alignment); }
void operator delete[](void* p, size_t, std::align_val_t alignment) noexcept { ::operator delete[](p, alignment); }
void operator delete(void* p, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    ::operator delete(p, alignment);
}
void operator delete[](void* p, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    ::operator delete[](p, alignment);
}

#pragma GCC visibility pop
