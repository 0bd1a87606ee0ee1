// Which allocations are sampled: each with the probability that its size gives, whatever came before.
#include "front/chance.h"

#include <cmath>
#include <gtest/gtest.h>
#include <set>

namespace lowtide::test {
namespace {

constexpr size_t mean = 512 * 1024;

double probability(size_t size, size_t of = mean) {
    return -std::expm1(-static_cast<double>(size) / static_cast<double>(of));
}

TEST(chances, weigh_what_is_sampled_by_how_seldom_it_is) {
    for (const size_t of : {size_t{2}, size_t{4096}, mean, size_t{1} << 30}) {
        chance c;
        c.set_mean(of);
        for (const size_t size : {size_t{1}, size_t{16}, size_t{1000}, size_t{8192}, size_t{100'000}, mean,
                                  size_t{10} << 20, size_t{1} << 40})
            EXPECT_NEAR(c.weight(size) * probability(size, of), 1, 1e-6) << size << " of " << of;
    }
}

// An exponential distribution: its standard deviation is its mean.
TEST(chances, come_at_the_right_distance) {
    for (const size_t of : {size_t{100}, size_t{4096}, mean, size_t{1} << 30}) {
        chance c;
        c.set_mean(of);
        constexpr int draws = 200'000;
        const auto expected = static_cast<double>(of);
        double sum = 0;
        double squares = 0;
        int near = 0;
        for (int i = 0; i < draws; ++i) {
            const auto distance = static_cast<double>(c.distance(static_cast<unsigned>(i) % 20));
            ASSERT_GE(distance, 0);
            sum += distance;
            squares += distance * distance;
            near += distance < expected / 10 ? 1 : 0;
        }
        EXPECT_NEAR(sum / draws, expected, 5 * expected / std::sqrt(draws) + 1) << of;
        EXPECT_NEAR(std::sqrt(squares / draws - sum / draws * sum / draws), expected, 0.02 * expected) << of;
        const double p = probability(of / 10, of);
        EXPECT_NEAR(near, draws * p, 5 * std::sqrt(draws * p * (1 - p))) << of;
    }
}

TEST(chances, of_one_byte_sample_everything) {
    chance c;
    c.set_mean(1);
    for (unsigned lane = 0; lane < 40; ++lane)
        EXPECT_EQ(c.distance(lane), 0);
    EXPECT_EQ(c.weight(1), 1);
    EXPECT_EQ(c.weight(64), 1);
}

// Threads on different processors, or a lane that is used again and again, don't repeat each other.
TEST(chances, are_not_the_same_in_two_lanes) {
    chance c;
    c.set_mean(size_t{1} << 40);
    std::set<int64_t> seen;
    for (unsigned lane = 0; lane < 16; ++lane)
        for (int i = 0; i < 1000; ++i)
            seen.insert(c.distance(lane));
    EXPECT_EQ(seen.size(), 16'000u);
}

} // namespace
} // namespace lowtide::test
