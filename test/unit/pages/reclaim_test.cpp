// The tide: when free memory goes back to the system, by the injected clock.
#include "support/page_tier_test.h"

namespace lowtide::test {
namespace {

class reclaim : public page_tier_test {
protected:
    size_t dirty() { return pages.counts().dirty_bytes; }
    size_t purges() const { return fake.count(system_call::purge); }
    void give_one_by_one(uintptr_t base, uint32_t slices) {
        for (uint32_t i = 0; i < slices; ++i)
            give(base + i * slice_size, 1);
    }
};

TEST_F(reclaim, memory_below_the_cap_waits_for_its_next_use) {
    const auto slices = static_cast<uint32_t>(settings.dirty_cap / slice_size);
    give_one_by_one(take(slices), slices);
    EXPECT_EQ(dirty(), settings.dirty_cap);
    EXPECT_EQ(purges(), 0u);
}

TEST_F(reclaim, dirty_memory_never_exceeds_the_cap_once_the_demand_is_over) {
    settings.window_ms = 0;
    const uintptr_t base = take(1000);
    for (uint32_t i = 0; i < 1000; ++i) {
        give(base + i * slice_size, 1);
        ASSERT_LE(dirty(), settings.dirty_cap);
    }
    EXPECT_GT(dirty(), settings.dirty_cap / 2) << "and is not all gone either";
    EXPECT_EQ(pages.counts().purged_bytes + dirty(), 1000 * slice_size);
}

TEST_F(reclaim, a_large_program_may_keep_a_share_of_what_it_uses) {
    settings.window_ms = 0;
    settings.dirty_cap = 0;
    const uintptr_t base = take(1000);
    for (uint32_t used = 1000; used > 0; --used) {
        give(base + (used - 1) * slice_size, 1);
        ASSERT_LE(dirty(), pages.counts().used_bytes / settings.dirty_share);
    }
    EXPECT_EQ(dirty(), 0u);
}

TEST_F(reclaim, memory_that_swings_within_the_window_is_not_purged) {
    const auto swing = [this] {
        const uintptr_t base = take(1000);
        fake.advance(settings.window_ms / 10);
        give(base, 1000);
        fake.advance(settings.window_ms / 10);
    };
    for (int i = 0; i < 10; ++i)
        swing();
    const size_t before = purges();
    for (int i = 0; i < 50; ++i)
        swing();
    EXPECT_EQ(purges(), before);
    EXPECT_EQ(dirty(), 1000 * slice_size);
}

TEST_F(reclaim, demand_is_forgotten_after_the_window) {
    const uintptr_t kept = take(2);
    give(take(1000), 1000);
    for (int i = 0; i < 3; ++i) {
        fake.advance(settings.window_ms);
        give(take(200), 200); // less than before
    }
    give(kept, 1);
    EXPECT_LE(dirty(), 200 * slice_size + settings.dirty_cap)
        << "the last demand and the cap, not the first demand";
}

TEST_F(reclaim, what_was_left_alone_the_longest_goes_first) {
    settings.window_ms = 0;
    settings.dirty_cap = block_size;
    const uintptr_t old = take(32);
    const uintptr_t recent = take(32);
    stamp(old, 32, 1);
    stamp(recent, 32, 2);
    give(old, 32);
    fake.advance(1);
    give(recent, 16);
    EXPECT_TRUE(is_stamped(old, 32, 0));
    EXPECT_TRUE(is_stamped(recent, 32, 2));
}

TEST_F(reclaim, what_nobody_reused_for_the_decay_time_goes_back) {
    const uintptr_t base = take(8);
    stamp(base, 8, 1);
    give(base, 8);
    fake.advance(static_cast<uint64_t>(settings.decay_ms) - 1);
    pages.tick();
    EXPECT_EQ(dirty(), 8 * slice_size);
    fake.advance(200);
    pages.tick();
    EXPECT_EQ(dirty(), 0u);
    EXPECT_TRUE(is_stamped(base, 8, 0));
    EXPECT_EQ(pages.counts().purged_bytes, 8 * slice_size);
}

TEST_F(reclaim, decay_spares_blocks_that_are_in_use) {
    const uintptr_t quiet = take(32);
    const uintptr_t busy = take(32);
    give(quiet, 8);
    give(busy, 8);
    for (int i = 0; i < 3; ++i) {
        fake.advance(static_cast<uint64_t>(settings.decay_ms) / 2);
        ASSERT_TRUE(pages.extend(busy + 7 * slice_size, {0}, {1}));
        give(busy + 7 * slice_size, 1);
        pages.tick();
    }
    EXPECT_EQ(dirty(), 8 * slice_size) << "the quiet block's are gone, the busy one's are there";
}

TEST_F(reclaim, no_decay_time_means_at_once) {
    settings.decay_ms = 0;
    const uintptr_t base = take(8);
    give(base, 3);
    EXPECT_EQ(dirty(), 0u);
    EXPECT_TRUE(pages.allocate({3}).zeroed);
}

TEST_F(reclaim, without_decay_memory_below_the_cap_stays_and_above_it_goes) {
    settings.decay_ms = -1;
    settings.window_ms = 0;
    give(take(8), 8);
    fake.advance(100'000'000);
    pages.tick();
    EXPECT_EQ(dirty(), 8 * slice_size);
    give(take(1000), 1000);
    EXPECT_LE(dirty(), settings.dirty_cap);
}

TEST_F(reclaim, on_request_all_of_it_goes_back_and_only_what_is_free) {
    const uintptr_t base = take(100);
    stamp(base, 100, 1);
    give(base + 10 * slice_size, 20);
    give(base + 50 * slice_size, 5);
    EXPECT_EQ(pages.purge_all(), 25 * slice_size);
    EXPECT_EQ(dirty(), 0u);
    EXPECT_TRUE(is_stamped(base, 10, 1));
    EXPECT_TRUE(is_stamped(base + 10 * slice_size, 20, 0));
    EXPECT_TRUE(is_stamped(base + 30 * slice_size, 20, 1));
    EXPECT_TRUE(is_stamped(base + 50 * slice_size, 5, 0));
    EXPECT_TRUE(is_stamped(base + 55 * slice_size, 45, 1));
    EXPECT_EQ(pages.purge_all(), 0u);
    expect_true_counters(75);
}

TEST_F(reclaim, one_call_purges_slices_that_lie_together) {
    const uintptr_t base = take(32);
    give_one_by_one(base + 4 * slice_size, 8);
    give_one_by_one(base + 20 * slice_size, 12);
    EXPECT_EQ(pages.purge_all(), 20 * slice_size);
    EXPECT_EQ(purges(), 2u);
    EXPECT_EQ(pages.counts().purge_calls, 2u);
}

TEST_F(reclaim, while_memory_is_purged_the_tier_can_be_used_and_nobody_gets_that_memory) {
    const uintptr_t base = take(32);
    give(base + 8 * slice_size, 8);
    bool purging = false;
    fake.on_call([&](system_call which) {
        if (which != system_call::purge || purging)
            return;
        purging = true;
        for (int i = 0; i < 3; ++i) {
            const uintptr_t other = take(8);
            EXPECT_NE(other, base + 8 * slice_size);
            stamp(other, 8, 5);
        }
        give(base, 4);
    });
    EXPECT_GT(pages.purge_all(), 0u);
    EXPECT_TRUE(purging);
    fake.on_call({});
    expect_true_counters(20 + 24);
    static_cast<void>(take(8)); // what is left of a fuller block
    const page_run run = pages.allocate({8});
    EXPECT_EQ(run.base, base + 8 * slice_size);
    EXPECT_TRUE(run.zeroed);
}

TEST_F(reclaim, what_the_kernel_refuses_to_purge_stays_dirty) {
    const uintptr_t base = take(8);
    stamp(base, 8, 1);
    give(base, 8);
    fake.refuse(system_call::purge);
    EXPECT_EQ(pages.purge_all(), 0u);
    EXPECT_EQ(dirty(), 8 * slice_size);
    EXPECT_EQ(pages.counts().purged_bytes, 0u);
    EXPECT_FALSE(pages.allocate({4}).zeroed);
    expect_true_counters(4);
}

TEST_F(reclaim, a_refusal_of_a_part_leaves_that_part_dirty) {
    const uintptr_t base = take(32);
    stamp(base, 32, 1);
    give(base, 4);
    give(base + 16 * slice_size, 4);
    fake.refuse_nth(2);
    static_cast<void>(pages.purge_all());
    EXPECT_EQ(dirty(), 4 * slice_size);
    EXPECT_EQ(pages.counts().purged_bytes, 4 * slice_size);
    const page_run refused = pages.allocate({4});
    EXPECT_EQ(refused.base, base + 16 * slice_size);
    EXPECT_FALSE(refused.zeroed);
    const page_run purged = pages.allocate({4});
    EXPECT_EQ(purged.base, base);
    EXPECT_TRUE(purged.zeroed && is_stamped(base, 4, 0));
}

TEST_F(reclaim, a_kernel_that_refuses_is_asked_again_after_a_while_and_not_at_every_free) {
    settings.window_ms = 0;
    settings.dirty_cap = 0;
    const uintptr_t base = take(1000);
    fake.refuse(system_call::purge);
    give_one_by_one(base, 500);
    EXPECT_LE(purges(), 2u);
    EXPECT_EQ(dirty(), 500 * slice_size);
    fake.refuse(system_call::purge, false);
    give(base + 500 * slice_size, 1);
    EXPECT_EQ(dirty(), 501 * slice_size) << "not yet";
    fake.advance(10'000);
    give(base + 501 * slice_size, 1);
    EXPECT_LE(dirty(), 498 / settings.dirty_share * slice_size);
}

} // namespace
} // namespace lowtide::test
