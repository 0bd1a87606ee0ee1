// Huge pages while a process grows fast, by the injected clock.
#include "support/page_tier_test.h"

namespace lowtide::test {
namespace {

class growth : public page_tier_test {
protected:
    growth() { fake.refuse(system_call::fill, false); }

    static constexpr unsigned slab = 4; // slices

    page_run take_slab() { return pages.allocate({slab}, slice_size, run_use::dense); }
    // So many blocks of slabs, one block in each of these times.
    void grow(unsigned blocks, uint64_t each_ms) {
        for (unsigned i = 0; i < blocks; ++i) {
            for (unsigned taken = 0; taken < slices_per_block; taken += slab)
                EXPECT_NE(take_slab().base, 0u);
            fake.advance(each_ms);
        }
    }
    size_t fills() const { return fake.count(system_call::fill); }
    size_t dirty() { return pages.counts().dirty_bytes; }
};

constexpr unsigned small = 8; // blocks: 16 MiB, below which there are no huge pages

TEST_F(growth, of_a_large_process_that_is_fast_gets_huge_pages) {
    grow(small, 5);
    EXPECT_EQ(fills(), 0u);
    grow(10, 5);
    EXPECT_EQ(fills(), 10u);
    EXPECT_EQ(dirty(), 0u) << "all was taken";
    expect_true_counters((small + 10) * slices_per_block);
}

TEST_F(growth, that_is_slow_is_left_to_small_pages) {
    grow(small + 10, 40);
    EXPECT_EQ(fills(), 0u);
}

TEST_F(growth, by_runs_that_nobody_may_touch_is_left_to_small_pages) {
    grow(small, 5);
    for (unsigned i = 0; i < 10 * slices_per_block; ++i)
        take(1);
    EXPECT_EQ(fills(), 0u);
}

TEST_F(growth, is_left_to_small_pages_where_the_option_says_so) {
    settings.huge_pages = false;
    grow(small + 10, 5);
    EXPECT_EQ(fills(), 0u);
}

// What the huge page has too much is resident: it counts, is used first, and goes back like all dirty memory.
TEST_F(growth, that_ends_leaves_the_rest_of_its_block_as_dirty_memory) {
    grow(small, 5);
    const page_run last = take_slab();
    EXPECT_TRUE(last.zeroed);
    ASSERT_EQ(fills(), 1u);
    EXPECT_EQ(dirty(), (slices_per_block - slab) * slice_size);

    const uintptr_t next = take(2);
    EXPECT_EQ(next & ~(block_size - 1), last.base & ~(block_size - 1));
    EXPECT_EQ(dirty(), (slices_per_block - slab - 2) * slice_size);

    fake.advance(2000);
    pages.tick();
    EXPECT_EQ(dirty(), 0u);
    EXPECT_EQ(pages.counts().purged_bytes, (slices_per_block - slab - 2) * slice_size);
    expect_true_counters(small * slices_per_block + slab + 2);
}

TEST_F(growth, that_gets_no_huge_page_does_not_ask_again_for_twenty_times_as_long) {
    fake.refuse(system_call::fill);
    fake.slow_fills(1000);
    grow(small + 4, 5); // 20 ms
    EXPECT_EQ(fills(), 1u);
    EXPECT_EQ(dirty(), 0u);
    fake.refuse(system_call::fill, false);
    grow(10, 5);
    EXPECT_EQ(fills(), 11u);
}

TEST_F(growth, that_pays_much_for_a_huge_page_does_not_ask_again_for_twenty_times_as_long) {
    grow(small, 5);
    fake.slow_fills(5000);
    grow(20, 5); // 100 ms
    EXPECT_EQ(fills(), 1u);
    fake.slow_fills(1999);
    grow(20, 5);
    EXPECT_EQ(fills(), 21u);
}

// Else the kernel would make huge pages again of what has mostly gone back.
TEST_F(growth, allows_no_huge_page_where_memory_has_gone_back) {
    grow(small, 5);
    const page_run first = take_slab();
    const page_run second = take_slab();
    EXPECT_EQ(fake.huge_blocks(), 1u);
    fake.advance(2000);
    pages.tick(); // what the huge page had too much
    EXPECT_EQ(fake.huge_blocks(), 0u);
    give(first.base, slab);
    give(second.base, slab);
    fake.advance(2000);
    pages.tick();
    EXPECT_EQ(fake.huge_blocks(), 0u) << "said once";
}

// The block that is filled is not locked meanwhile.
TEST_F(growth, lets_others_take_and_give_runs_of_the_block_that_is_being_filled) {
    grow(small, 5);
    uintptr_t between = 0;
    fake.on_call([&](system_call which) {
        if (which != system_call::fill)
            return;
        between = take(slab);
        give(take(1), 1);
    });
    const page_run last = take_slab();
    EXPECT_NE(between, last.base);
    EXPECT_EQ(dirty(), (slices_per_block - 2 * slab) * slice_size);
    fake.on_call(nullptr);
    give(between, slab);
    give(last.base, slab);
    EXPECT_EQ(dirty(), block_size);
    expect_true_counters(small * slices_per_block);
}

} // namespace
} // namespace lowtide::test
