// The C++ surface: the replaceable forms of operator new and delete ([new.delete]). The two plain ones have
// fast paths of their own; the others call them by their public names, as the standard's defaults do, so that
// a program which replaces only those gets the others too.
//
// This file is compiled with exceptions: the nothrow forms must catch what a handler or a replaced form
// throws. The shared library doesn't link the run-time library, so there its functions are weak.
#include "entry/cxx_runtime.h"
#include "entry/fast_path.h"
#include "entry/heap.h"

#include <cerrno>
#include <new>

#ifdef LOWTIDE_SHARED
asm(".weak __gxx_personality_v0\n"
    ".weak __cxa_begin_catch\n"
    ".weak __cxa_end_catch\n"
    ".weak _ZSt9terminatev\n"); // clang calls it where gcc leaves it to the personality
#endif

using namespace lowtide;

namespace {

// Allocates, or asks the new_handler to make room, until there is none; then throws ([new.delete.single] 4).
template <typename Allocate>
void* insist(size_t size, const void* caller, Allocate allocate) {
    for (;;) {
        if (void* p = allocate())
            return p;
        errno = ENOMEM;
        const lowtide::new_handler handler = current_new_handler(caller);
        if (handler == nullptr)
            throw_bad_alloc(size, caller);
        handler();
    }
}

void* aligned_for_new(size_t size, std::align_val_t alignment) {
    const auto to = static_cast<size_t>(alignment);
    if (!is_power_of_two(to) || size > max_request || to > max_request)
        return nullptr;
    return to <= min_alignment ? lowtide_malloc(size) : the_heap.allocate_aligned(to, size);
}

// What operator new of these arguments gives, or null where it throws. `name` is the calling form's own:
// where we can't catch, the run-time library's definition of it can.
template <typename... Arguments>
void* quietly(const char* name, const void* caller, void* (*throwing)(Arguments...),
              void* (*plainly)(Arguments...), Arguments... arguments) noexcept {
    if (!can_catch()) {
        if (void* p = plainly(arguments...))
            return p;
        using form = void* (*)(Arguments..., const std::nothrow_t&);
        const auto theirs = reinterpret_cast<form>(runtime_definition(name, caller));
        return theirs == nullptr ? nullptr : theirs(arguments..., std::nothrow_t{});
    }
    try {
        return throwing(arguments...);
    } catch (...) {
        return nullptr;
    }
}

} // namespace

#pragma GCC visibility push(default)

void* lowtide_new_slow(size_t size) {
    return insist(size, __builtin_return_address(0), [size]() -> void* {
        if (the_heap.is_sampling()) [[unlikely]]
            return lowtide_malloc(size); // which has a fast path then
        return size > max_request ? nullptr : the_heap.allocate(size);
    });
}

LOWTIDE_REPLACEABLE void* operator new[](size_t size) {
    return ::operator new(size);
}

LOWTIDE_REPLACEABLE void* operator new(size_t size, const std::nothrow_t&) noexcept {
    return quietly("_ZnwmRKSt9nothrow_t", __builtin_return_address(0), ::operator new, lowtide_malloc, size);
}

LOWTIDE_REPLACEABLE void* operator new[](size_t size, const std::nothrow_t&) noexcept {
    return quietly("_ZnamRKSt9nothrow_t", __builtin_return_address(0), ::operator new[], lowtide_malloc,
                   size);
}

LOWTIDE_REPLACEABLE void* operator new(size_t size, std::align_val_t alignment) {
    return insist(size, __builtin_return_address(0), [=] { return aligned_for_new(size, alignment); });
}

LOWTIDE_REPLACEABLE void* operator new[](size_t size, std::align_val_t alignment) {
    return ::operator new(size, alignment);
}

LOWTIDE_REPLACEABLE void* operator new(size_t size, std::align_val_t alignment,
                                       const std::nothrow_t&) noexcept {
    return quietly("_ZnwmSt11align_val_tRKSt9nothrow_t", __builtin_return_address(0), ::operator new,
                   aligned_for_new, size, alignment);
}

LOWTIDE_REPLACEABLE void* operator new[](size_t size, std::align_val_t alignment,
                                         const std::nothrow_t&) noexcept {
    return quietly("_ZnamSt11align_val_tRKSt9nothrow_t", __builtin_return_address(0), ::operator new[],
                   aligned_for_new, size, alignment);
}

LOWTIDE_REPLACEABLE void operator delete[](void* p) noexcept {
    ::operator delete(p);
}
LOWTIDE_REPLACEABLE void operator delete(void* p, const std::nothrow_t&) noexcept {
    ::operator delete(p);
}
LOWTIDE_REPLACEABLE void operator delete[](void* p, const std::nothrow_t&) noexcept {
    ::operator delete[](p);
}
void lowtide_delete_sized_slow(void* p, size_t) noexcept {
    ::operator delete(p);
}
LOWTIDE_REPLACEABLE void operator delete[](void* p, size_t) noexcept {
    ::operator delete[](p);
}

LOWTIDE_REPLACEABLE void operator delete(void* p, std::align_val_t) noexcept {
    lowtide_free(p);
}
LOWTIDE_REPLACEABLE void operator delete[](void* p, std::align_val_t alignment) noexcept {
    ::operator delete(p, alignment);
}
LOWTIDE_REPLACEABLE void operator delete(void* p, size_t, std::align_val_t alignment) noexcept {
    ::operator delete(p, alignment);
}
LOWTIDE_REPLACEABLE void operator delete[](void* p, size_t, std::align_val_t alignment) noexcept {
    ::operator delete[](p, alignment);
}
LOWTIDE_REPLACEABLE void operator delete(void* p, std::align_val_t alignment,
                                         const std::nothrow_t&) noexcept {
    ::operator delete(p, alignment);
}
LOWTIDE_REPLACEABLE void operator delete[](void* p, std::align_val_t alignment,
                                           const std::nothrow_t&) noexcept {
    ::operator delete[](p, alignment);
}

#pragma GCC visibility pop
