// The page tier under several threads, on the system's own memory: the fake's lock would hide what they do
// wrong.
#include "pages/page_tier.h"
#include "support/zeroed.h"

#include <gtest/gtest.h>
#include <random>
#include <thread>
#include <vector>

namespace lowtide::test {
namespace {

TEST(page_tier_threads, get_runs_of_their_own_while_others_purge) {
    const page_source system;
    const zeroed<page_map> map;
    options settings;
    settings.dirty_cap = 0; // most frees purge
    settings.window_ms = 0;
    metadata records(&system);
    ceiling limits;
    page_tier pages(&system, map.get(), &records, &settings, &limits);

    const auto work = [&](unsigned number) {
        std::mt19937 random(number);
        std::vector<std::pair<uint64_t*, uint32_t>> mine;
        for (int i = 0; i < 2500; ++i) {
            if (mine.size() < 12) {
                const auto slices = static_cast<uint32_t>(random() % 40 + 1);
                const page_run run = pages.allocate({slices});
                ASSERT_NE(run.base, 0u);
                auto* first = reinterpret_cast<uint64_t*>(run.base);
                auto* last = reinterpret_cast<uint64_t*>(run.base + (slices - 1) * slice_size);
                ASSERT_TRUE(!run.zeroed || (*first == 0 && *last == 0));
                *first = *last = number;
                mine.emplace_back(first, slices);
                continue;
            }
            std::swap(mine[random() % mine.size()], mine.back());
            const auto [first, slices] = mine.back();
            mine.pop_back();
            ASSERT_EQ(*first, number);
            ASSERT_EQ(first[(slices - 1) * slice_size / sizeof(uint64_t)], number);
            ASSERT_TRUE(pages.deallocate(reinterpret_cast<uintptr_t>(first), {slices}));
            if (i % 200 == 0)
                static_cast<void>(pages.purge_all());
            if (i % 50 == 0)
                pages.tick();
            ASSERT_GE(pages.counts().committed_bytes, pages.used_bytes());
        }
        for (const auto& [first, slices] : mine)
            ASSERT_TRUE(pages.deallocate(reinterpret_cast<uintptr_t>(first), {slices}));
    };
    std::vector<std::thread> all;
    for (unsigned t = 1; t <= 4; ++t)
        all.emplace_back(work, t);
    for (std::thread& t : all)
        t.join();
    static_cast<void>(pages.purge_all());
    const page_counts c = pages.counts();
    EXPECT_EQ(c.used_bytes, 0u);
    EXPECT_EQ(c.dirty_bytes, 0u);
    EXPECT_GT(c.purge_calls, 0u);
    EXPECT_EQ(pages.surrender(), c.reserved_bytes);
}

} // namespace
} // namespace lowtide::test
