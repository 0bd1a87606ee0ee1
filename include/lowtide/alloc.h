// Allocation of sizes that the compiler knows, for C++20: what alloc<Size>() gives, dealloc<Size>() takes
// back without waiting for the look-up of what block it is. Functions of Lowtide are called: link with
// -llowtide.
#ifndef LOWTIDE_ALLOC_H
#define LOWTIDE_ALLOC_H

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" void free_sized(void* p,
                           std::size_t size) noexcept; // C23 7.24.3.4; glibc's headers have it since 2.41

namespace lowtide {

/// A block of `Size` bytes, aligned to 16, not initialised; null with errno ENOMEM when there is no memory.
/// May be given back by dealloc<Size>, free and realloc alike. Thread-safe; works in signal handlers, though
/// no standard asks for it.
template <std::size_t Size>
[[nodiscard]] inline void* alloc() noexcept {
    static_assert(Size > 0 && Size <= PTRDIFF_MAX, "no block has this size");
    return std::malloc(Size);
}

/// Gives a block back that was got for `Size` bytes, from alloc, malloc, calloc or realloc; null is nothing.
/// Keeps errno. Thread- and signal-safe as alloc. The size is a hint, which is compared with what the block
/// is: with a wrong one the block is freed as what it is, and the option check:true reports one that is too
/// large.
template <std::size_t Size>
inline void dealloc(void* p) noexcept {
    free_sized(p, Size);
}

} // namespace lowtide

#endif
