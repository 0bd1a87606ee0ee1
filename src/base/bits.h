// Small arithmetic on sizes, powers of two and 32-slice masks. Pure functions, no state.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lowtide {

constexpr bool is_power_of_two(size_t n) {
    return n != 0 && (n & (n - 1)) == 0;
}

// `alignment` is a power of two; the caller has excluded overflow.
constexpr size_t align_up(size_t n, size_t alignment) {
    return (n + alignment - 1) & ~(alignment - 1);
}
constexpr size_t align_down(size_t n, size_t alignment) {
    return n & ~(alignment - 1);
}

constexpr unsigned floor_log2(size_t n) {
    return 63u - static_cast<unsigned>(__builtin_clzl(n));
}

constexpr size_t next_power_of_two(size_t n) {
    return n <= 1 ? 1 : size_t{1} << (floor_log2(n - 1) + 1);
}

constexpr size_t divide_up(size_t n, size_t by) {
    return (n + by - 1) / by;
}

// The number of set bits. Not the builtin: without the instruction, which the baseline x86-64 doesn't have,
// that is a call.
constexpr uint32_t count_bits(uint32_t mask) {
    mask -= mask >> 1 & 0x55555555;
    mask = (mask & 0x33333333) + (mask >> 2 & 0x33333333);
    return ((mask + (mask >> 4)) & 0x0f0f0f0f) * 0x01010101 >> 24;
}

constexpr uint32_t count_bits_of(uint64_t mask) {
    return count_bits(static_cast<uint32_t>(mask)) + count_bits(static_cast<uint32_t>(mask >> 32));
}

// Bit i is set where `mask` has `length` (1..32) set bits in a row that begin at bit i.
constexpr uint32_t run_starts(uint32_t mask, unsigned length) {
    unsigned have = 1;
    while (have < length && mask != 0) {
        const unsigned step = have < length - have ? have : length - have;
        mask &= mask >> step;
        have += step;
    }
    return mask;
}

// Bits first .. first+length-1; length is 1..32.
constexpr uint32_t run_mask(unsigned first, unsigned length) {
    return (length >= 32 ? ~uint32_t{0} : (uint32_t{1} << length) - 1) << first;
}

// The length of the longest run of set bits.
constexpr unsigned longest_run(uint32_t mask) {
    if (mask == ~uint32_t{0})
        return 32;
    // Where runs of at least 1, 2, 4, 8 and 16 start; then the largest sum of these that still has a start.
    uint32_t starts[5] = {mask};
    for (unsigned i = 1; i < 5; ++i)
        starts[i] = starts[i - 1] & starts[i - 1] >> (1u << (i - 1));
    uint32_t longest = ~uint32_t{0};
    unsigned length = 0;
    for (unsigned i = 5; i-- != 0;)
        if ((longest & starts[i] >> length) != 0) {
            longest &= starts[i] >> length;
            length += 1u << i;
        }
    return length;
}

static_assert(count_bits(0) == 0 && count_bits(0x80010f00) == 6 && count_bits(~uint32_t{0}) == 32);
static_assert(run_starts(0b1110'1100, 3) == 0b0010'0000);
static_assert(run_starts(~uint32_t{0}, 32) == 1);
static_assert(longest_run(0b1110'1100) == 3 && longest_run(~uint32_t{0}) == 32 && longest_run(0) == 0);
static_assert(longest_run(0x7fffffff) == 31 && longest_run(0xff00ff80) == 9 && longest_run(0xaaaaaaaa) == 1);

} // namespace lowtide
