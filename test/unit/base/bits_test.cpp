// The arithmetic, against the slow and obvious way to say the same.
#include "base/bits.h"

#include <gtest/gtest.h>
#include <random>
#include <vector>

namespace lowtide::test {
namespace {

bool has_run(uint32_t mask, unsigned first, unsigned length) {
    for (unsigned i = first; i < first + length; ++i)
        if (i >= 32 || (mask >> i & 1) == 0)
            return false;
    return true;
}

// Masks of every density: sparse and dense ones have different runs.
std::vector<uint32_t> masks() {
    std::mt19937 random(1);
    std::vector<uint32_t> all = {0, 1, 0x8000'0000, ~uint32_t{0}, 0xffff'fffe, 0x7fff'ffff, 0xaaaa'aaaa};
    for (int i = 0; i < 200; ++i) {
        const auto a = static_cast<uint32_t>(random());
        const auto b = static_cast<uint32_t>(random());
        all.insert(all.end(), {a, a & b, a | b, a | b | static_cast<uint32_t>(random())});
    }
    return all;
}

TEST(bits, run_starts_are_all_the_places_where_a_run_fits) {
    for (const uint32_t mask : masks())
        for (unsigned length = 1; length <= 32; ++length)
            for (unsigned i = 0; i < 32; ++i)
                ASSERT_EQ(run_starts(mask, length) >> i & 1, has_run(mask, i, length) ? 1u : 0u)
                    << std::hex << mask << " " << std::dec << length << " " << i;
}

TEST(bits, a_run_mask_is_that_run_and_nothing_else) {
    for (unsigned length = 1; length <= 32; ++length)
        for (unsigned first = 0; first + length <= 32; ++first)
            for (unsigned i = 0; i < 32; ++i)
                ASSERT_EQ(run_mask(first, length) >> i & 1, i >= first && i < first + length ? 1u : 0u);
}

TEST(bits, the_longest_run_fits_and_no_longer_one_does) {
    for (const uint32_t mask : masks()) {
        const unsigned longest = longest_run(mask);
        EXPECT_EQ(longest == 0, mask == 0);
        EXPECT_TRUE(longest == 0 || run_starts(mask, longest) != 0);
        EXPECT_TRUE(longest == 32 || run_starts(mask, longest + 1) == 0);
    }
}

TEST(bits, powers_of_two_up_to_the_largest) {
    EXPECT_FALSE(is_power_of_two(0));
    EXPECT_EQ(next_power_of_two(0), 1u);
    for (unsigned i = 0; i < 64; ++i) {
        const size_t n = size_t{1} << i;
        EXPECT_TRUE(is_power_of_two(n));
        EXPECT_EQ(floor_log2(n), i);
        EXPECT_EQ(next_power_of_two(n), n);
        if (i < 2)
            continue;
        EXPECT_FALSE(is_power_of_two(n - 1));
        EXPECT_EQ(floor_log2(n - 1), i - 1);
        EXPECT_EQ(next_power_of_two(n - 1), n);
    }
}

TEST(bits, alignment_goes_to_the_nearest_multiple_on_its_side) {
    for (size_t alignment = 1; alignment <= 64; alignment *= 2) {
        for (size_t n = 0; n < 200; ++n) {
            EXPECT_EQ(align_down(n, alignment), n / alignment * alignment);
            EXPECT_EQ(align_up(n, alignment), divide_up(n, alignment) * alignment);
            EXPECT_LT(align_up(n, alignment) - n, alignment);
        }
    }
}

} // namespace
} // namespace lowtide::test
