// Without memory: every refusal of the system ends in a null and nothing else, and what is free can be had
// again.
#include "support/page_tier_test.h"

#include <vector>

namespace lowtide::test {
namespace {

class shortage : public page_tier_test {
protected:
    void expect_nothing_is_lost() {
        static_cast<void>(pages.purge_all());
        expect_true_counters(0);
        static_cast<void>(pages.surrender());
        EXPECT_EQ(fake.reserved_bytes(), 0u);
        expect_true_counters(0);
    }
};

TEST_F(shortage, each_kind_of_refusal_gives_null_and_success_when_it_is_over) {
    for (const system_call which : {system_call::map, system_call::reserve, system_call::commit}) {
        fake.refuse(which);
        EXPECT_EQ(pages.allocate({1}).base, 0u);
        EXPECT_EQ(pages.allocate({100}).base, 0u);
        expect_true_counters(0);
        fake.refuse(which, false);
        give(take(1), 1);
        give(take(100), 100);
        expect_true_counters(0);
        static_cast<void>(pages.surrender()); // so that the next kind is asked at all
        fake.refuse(system_call::claim);
    }
}

// What a program might do, every step of which may fail.
void work(page_tier& pages, std::vector<std::pair<uintptr_t, uint32_t>>& runs) {
    const auto take = [&](uint32_t slices) {
        const page_run run = pages.allocate({slices});
        if (run.base != 0)
            runs.emplace_back(run.base, slices);
    };
    const auto give_last = [&] {
        if (runs.empty())
            return;
        EXPECT_TRUE(pages.deallocate(runs.back().first, {runs.back().second}));
        runs.pop_back();
    };
    for (const uint32_t slices : {1u, 32u, 100u, 5u, 300u, 31u, 32u, 64u, 600u})
        take(slices);
    for (int i = 0; i < 4; ++i)
        give_last();
    static_cast<void>(pages.purge_all());
    static_cast<void>(pages.surrender());
    for (const uint32_t slices : {70u, 32u, 3u, 200u})
        take(slices);
}

TEST(shortages, at_any_one_call_lose_nothing_and_the_next_attempt_succeeds) {
    bool refused = true;
    for (unsigned n = 1; refused; ++n) {
        ASSERT_LT(n, 1000u) << "the work ends";
        SCOPED_TRACE(n);
        fake_pages fake;
        const zeroed<page_map> map;
        const options settings;
        metadata records(fake.source());
        ceiling limits;
        page_tier pages(fake.source(), map.get(), &records, &settings, &limits);
        std::vector<std::pair<uintptr_t, uint32_t>> runs;
        fake.refuse_nth(n);
        work(pages, runs);
        refused = fake.refused_nth();
        ASSERT_TRUE(refused || n > 30) << "the work has calls to refuse";
        fake.refuse_nth(0);
        const size_t before = runs.size();
        work(pages, runs);
        EXPECT_EQ(runs.size(), before + 9 - 4 + 4) << "every step succeeds";
        for (const auto& [base, slices] : runs)
            EXPECT_TRUE(pages.deallocate(base, {slices}));
        static_cast<void>(pages.purge_all());
        EXPECT_EQ(pages.counts().used_bytes, 0u);
        EXPECT_EQ(pages.counts().dirty_bytes, 0u);
        EXPECT_EQ(pages.counts().committed_bytes, fake.committed_bytes());
        static_cast<void>(pages.surrender());
        EXPECT_EQ(fake.reserved_bytes(), 0u);
    }
}

TEST_F(shortage, reservations_shrink_to_what_a_limit_leaves) {
    fake.limit_address_space(7 * block_size);
    std::vector<uintptr_t> blocks;
    for (int i = 0; i < 7; ++i)
        blocks.push_back(take(32));
    EXPECT_EQ(pages.allocate({1}).base, 0u) << "all of it is in use";
    for (const uintptr_t block : blocks)
        give(block, 32);
    expect_nothing_is_lost();
}

TEST_F(shortage, reservations_leave_most_of_a_limit_to_others) {
    constexpr size_t limit = 400 * block_size;
    fake.limit_address_space(limit);
    for (size_t used = block_size; used <= limit / 2; used += block_size) {
        static_cast<void>(take(32));
        EXPECT_LE(fake.reserved_bytes(), used + limit / 8);
    }
    EXPECT_LE(take(100) % block_size, 0u) << "what is larger than such a share can be had all the same";
}

// A stack, say, that needs room when the program has freed what it had.
TEST_F(shortage, once_it_was_met_what_is_freed_gives_up_its_address_space) {
    settings.dirty_cap = 4 * block_size;
    fake.limit_address_space(64 * block_size);
    std::vector<uintptr_t> blocks;
    for (page_run run = pages.allocate({32}); run.base != 0; run = pages.allocate({32}))
        blocks.push_back(run.base);
    EXPECT_EQ(blocks.size(), 64u);
    for (const uintptr_t block : blocks)
        give(block, 32);
    EXPECT_LE(fake.reserved_bytes(), settings.dirty_cap);
    expect_true_counters(0);
    for (size_t i = 0; i < blocks.size(); ++i)
        static_cast<void>(take(32)); // all of it can be had again
}

TEST_F(shortage, what_one_place_is_refused_for_want_of_memory_is_not_asked_for_at_all_others) {
    give(take(64 * 32), 64 * 32);
    static_cast<void>(pages.surrender());
    fake.limit_address_space(0);
    const size_t before = fake.count(system_call::claim);
    EXPECT_EQ(pages.allocate({32}).base, 0u);
    EXPECT_EQ(pages.allocate({64}).base, 0u);
    EXPECT_LE(fake.count(system_call::claim) - before, 2u);
    fake.limit_address_space(size_t{1} << 40);
    give(take(64 * 32), 64 * 32);
}

TEST_F(shortage, reservations_leave_room_for_their_records) {
    fake.on_call([this](system_call which) {
        if (which == system_call::map)
            fake.refuse(system_call::map, fake.reserved_bytes() > 4 * block_size);
    });
    give(take(4 * 32), 4 * 32);
    EXPECT_EQ(fake.reserved_bytes(), 4 * block_size);
    fake.on_call({});
    fake.refuse(system_call::map, false);
    expect_nothing_is_lost();
}

TEST_F(shortage, small_runs_freed_make_room_for_large_ones_and_the_reverse) {
    fake.limit_address_space(8 * block_size);
    for (int round = 0; round < 20; ++round) {
        std::vector<uintptr_t> small;
        for (int i = 0; i < 8 * 32; ++i)
            small.push_back(take(1));
        EXPECT_EQ(pages.allocate({64}).base, 0u);
        for (const uintptr_t run : small)
            give(run, 1);
        static_cast<void>(pages.surrender());
        give(take(8 * 32), 8 * 32);
    }
}

TEST_F(shortage, a_place_that_is_partly_taken_does_not_use_up_what_a_limit_leaves) {
    const uintptr_t base = take(8 * 32);
    give(base, 8 * 32);
    static_cast<void>(pages.surrender());
    fake.occupy(base + 7 * block_size, block_size);
    fake.limit_address_space(8 * block_size);
    const uintptr_t elsewhere = take(8 * 32);
    EXPECT_NE(elsewhere, base);
    expect_true_counters(8 * 32);
    give(elsewhere, 8 * 32);
}

TEST_F(shortage, surrendered_space_is_free_for_others_and_comes_back_when_needed) {
    const uintptr_t kept = take(32);
    stamp(kept, 32, 1);
    const uintptr_t base = take(96);
    stamp(base, 96, 2);
    give(base, 96);
    const size_t before = fake.reserved_bytes();
    EXPECT_EQ(pages.surrender(), before - block_size);
    EXPECT_EQ(fake.reserved_bytes(), block_size);
    EXPECT_TRUE(is_stamped(kept, 32, 1));
    expect_true_counters(32);
    EXPECT_EQ(pages.counts().dirty_bytes, 0u);
    EXPECT_EQ(pages.surrender(), 0u);

    const page_run again = pages.allocate({96});
    EXPECT_EQ(again.base, base);
    EXPECT_TRUE(again.zeroed && is_stamped(again.base, 96, 0));
    expect_true_counters(128);
}

TEST_F(shortage, space_that_cannot_be_released_stays_in_use) {
    const uintptr_t base = take(64);
    give(base, 64);
    const page_counts before = pages.counts();
    fake.refuse(system_call::release); // a hole would be one mapping too many
    EXPECT_EQ(pages.surrender(), 0u);
    expect_true_counters(0);
    EXPECT_EQ(pages.counts().dirty_bytes, before.dirty_bytes);
    EXPECT_EQ(take(64), base);
    give(base, 64);
    fake.refuse(system_call::release, false);
    expect_nothing_is_lost();
}

TEST_F(shortage, a_surrendered_place_that_somebody_else_took_is_left_to_him) {
    const uintptr_t base = take(8 * 32);
    give(base, 8 * 32);
    EXPECT_EQ(pages.surrender(), 8 * block_size);
    fake.occupy(base + block_size, block_size);
    EXPECT_EQ(take(32), base);
    EXPECT_EQ(take(32), base + 2 * block_size);
    EXPECT_NE(take(7 * 32), 0u);
    expect_true_counters(9 * 32);
}

// The place of a block that was surrendered and then reserved anew has two records.
TEST_F(shortage, a_place_that_was_surrendered_twice_belongs_to_who_claimed_it) {
    fake.limit_address_space(8 * block_size);
    const uintptr_t first = take(8 * 32);
    give(first, 8 * 32);
    EXPECT_EQ(pages.surrender(), 8 * block_size);
    fake.limit_address_space(SIZE_MAX / 2);
    const uintptr_t second =
        take(9 * 32); // more than the old records can give: a new reservation, at the same place
    ASSERT_EQ(second, first);
    give(second, 9 * 32);
    static_cast<void>(pages.surrender());
    const uintptr_t third = take(1);
    ASSERT_EQ(third, first);
    stamp(third, 1, 1);
    expect_true_counters(1);
    const uintptr_t fourth = take(31);
    EXPECT_EQ(fourth, first + slice_size);
    give(third, 1);
    expect_true_counters(31);
    give(fourth, 31);
    expect_nothing_is_lost();
}

TEST_F(shortage, places_that_come_and_go_do_not_use_the_tier_up) {
    fake.limit_address_space(8 * block_size);
    for (int i = 0; i < 12'000; ++i) {
        const uintptr_t base = pages.allocate({32}).base;
        ASSERT_NE(base, 0u) << "round " << i;
        give(base, 32);
        ASSERT_GT(pages.surrender(), 0u);
        fake.occupy(base, block_size);
        const uintptr_t elsewhere = pages.allocate({32}).base;
        ASSERT_NE(elsewhere, 0u) << "round " << i;
        ASSERT_NE(elsewhere, base);
        give(elsewhere, 32);
        ASSERT_GT(pages.surrender(), 0u);
        fake.vacate(base, block_size);
    }
}

} // namespace
} // namespace lowtide::test
