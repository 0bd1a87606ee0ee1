// The units that memory is counted in. A slice is the unit of the page map and of runs; a block is the unit
// in which address space is committed, and the size of a huge page on x86-64 and on aarch64 with 4 KiB pages.
#pragma once

#include "base/bits.h"

#include <cstddef>
#include <cstdint>

namespace lowtide {

inline constexpr unsigned slice_shift = 16;
inline constexpr size_t slice_size = size_t{1} << slice_shift;
inline constexpr unsigned block_shift = 21;
inline constexpr size_t block_size = size_t{1} << block_shift;
inline constexpr unsigned slices_per_block = unsigned{block_size / slice_size};

inline constexpr size_t kibibyte = 1024;
inline constexpr size_t mebibyte = 1024 * kibibyte;

// Every pointer handed out has at least this alignment, whatever its size (x86-64 and AAPCS64 ABI).
inline constexpr size_t min_alignment = 16;
// Nothing above this ever succeeds: pointer differences must stay representable (C11 7.22.3, glibc's rule).
inline constexpr size_t max_request = size_t{PTRDIFF_MAX};

// A function that few processes need, but whose time counts in those: linked apart (lowtide.ld) as those are
// that are [[gnu::cold]], and optimised as the others are.
#define LOWTIDE_RARE gnu::section(".text.rare")

// A number of slices, so that it can't be mistaken for bytes or for pages.
struct slice_count {
    uint32_t n = 0;
    [[nodiscard]] constexpr size_t bytes() const { return size_t{n} << slice_shift; }
    static constexpr slice_count holding(size_t bytes) {
        return {static_cast<uint32_t>(divide_up(bytes, slice_size))};
    }
    friend constexpr bool operator==(slice_count, slice_count) = default;
};

} // namespace lowtide
