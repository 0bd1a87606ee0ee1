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
    fake.allow_plain_blocks();
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

TEST_F(growth, waits_twice_as_long_each_time_until_a_huge_page_comes_quickly) {
    grow(small, 5);
    fake.slow_fills(5000);
    uint64_t pause_ms = 100;
    for (unsigned tries = 1; tries <= 3; ++tries, pause_ms *= 2) {
        grow(8, 0);
        EXPECT_EQ(fills(), tries);
        fake.advance(pause_ms - 1);
        grow(8, 0);
        EXPECT_EQ(fills(), tries) << "too early";
        fake.advance(1);
    }
    fake.slow_fills(300);
    grow(8, 0);
    EXPECT_GT(fills(), 3u);
    const size_t before = fills();
    fake.slow_fills(5000);
    grow(8, 0);
    EXPECT_EQ(fills(), before + 1);
    fake.advance(100);
    grow(8, 0);
    EXPECT_EQ(fills(), before + 2) << "as long as at first";
}

// Else all of the huge page stays in memory, though the process no longer has it.
TEST_F(growth, leaves_huge_pages_of_which_a_part_goes_back_as_small_ones) {
    grow(small, 5);
    const page_run slabs[] = {take_slab(), take_slab(), take_slab()};
    ASSERT_EQ(fills(), 1u);
    EXPECT_EQ(fake.splits(), 0u);
    pages.purge_all(); // what the huge page had too much
    EXPECT_EQ(fake.splits(), 1u);
    give(slabs[0].base, slab);
    pages.purge_all();
    EXPECT_EQ(fake.splits(), 1u) << "it is none any more";
    EXPECT_TRUE(pages.purge_within(slabs[1].base, os::page_size()));
    EXPECT_EQ(fake.splits(), 1u);

    grow(2, 5); // huge pages again
    pages.purge_all();
    const size_t before = fake.splits();
    const size_t filled = fills();
    const page_run whole = pages.allocate({slices_per_block}, slice_size, run_use::dense);
    ASSERT_EQ(fills(), filled + 1);
    give(whole.base, slices_per_block);
    pages.purge_all();
    EXPECT_EQ(fake.splits(), before) << "nothing of it stays";
}

TEST_F(growth, leaves_huge_pages_of_which_a_slab_gives_pages_back_as_small_ones) {
    grow(small, 5);
    const page_run first = take_slab();
    grow(1, 5);
    ASSERT_EQ(fills(), 2u);
    EXPECT_TRUE(pages.purge_within(first.base, os::page_size()));
    EXPECT_EQ(fake.splits(), 1u);
    EXPECT_TRUE(pages.purge_within(first.base + os::page_size(), os::page_size()));
    EXPECT_EQ(fake.splits(), 1u);
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

class density : public growth {
protected:
    // A run of whole blocks, of which every page is written but for the last one of each, if that is left
    // out.
    uintptr_t use(unsigned blocks, bool throughout) {
        const uintptr_t base = take(blocks * slices_per_block, block_size);
        for (uintptr_t page = base; page < base + blocks * block_size; page += os::page_size())
            if (throughout || (page + os::page_size()) % block_size != 0)
                *reinterpret_cast<volatile char*>(page) = 1;
        return base;
    }
    void give_and_purge(uintptr_t base, unsigned blocks) {
        give(base, blocks * slices_per_block);
        static_cast<void>(pages.purge_all());
    }
};

TEST_F(density, of_a_block_that_was_used_throughout_gets_it_a_huge_page_next_time) {
    give_and_purge(use(3, true), 3);
    EXPECT_EQ(fills(), 0u) << "nothing was known";
    const uintptr_t again = use(3, true);
    EXPECT_EQ(fills(), 3u);
    EXPECT_EQ(fake.huge_blocks(), 3u);
    EXPECT_EQ(dirty(), 0u);
    give_and_purge(again, 3);
    EXPECT_EQ(fake.huge_blocks(), 0u);
    expect_true_counters(0);
}

TEST_F(density, is_all_or_nothing) {
    give_and_purge(use(1, false), 1);
    take(slices_per_block, block_size);
    EXPECT_EQ(fills(), 0u);
}

TEST_F(density, has_to_be_shown_again_after_some_huge_pages) {
    give_and_purge(use(1, true), 1);
    for (int i = 0; i < 8; ++i)
        give_and_purge(use(1, false), 1); // not that anybody could see it
    EXPECT_EQ(fills(), 8u);
    for (int i = 0; i < 3; ++i)
        give_and_purge(use(1, false), 1);
    EXPECT_EQ(fills(), 8u);
    give_and_purge(use(1, true), 1);
    use(1, true);
    EXPECT_EQ(fills(), 9u);
}

TEST_F(density, counts_for_what_takes_the_whole_block) {
    give_and_purge(use(2, true), 2);
    const uintptr_t part = take(slices_per_block - 1);
    EXPECT_EQ(fills(), 0u);
    give(part, slices_per_block - 1);
    static_cast<void>(pages.purge_all());
    // From the end of one block through the whole of another: only that one.
    const uintptr_t base = use(2, true);
    ASSERT_EQ(fills(), 2u);
    const uintptr_t behind = base + slice_size;
    give(behind, 2 * slices_per_block - 1);
    static_cast<void>(pages.purge_all());
    EXPECT_EQ(take(2 * slices_per_block - 1), behind);
    EXPECT_EQ(fills(), 3u);
}

TEST_F(density, has_small_pages_faulted_in_at_once_where_there_are_no_huge_ones) {
    settings.huge_pages = false;
    fake.allow_plain_blocks();
    give_and_purge(use(2, true), 2);
    EXPECT_EQ(fake.count(system_call::populate), 0u);
    const uintptr_t base = use(2, false);
    EXPECT_EQ(fake.count(system_call::populate), 2u);
    EXPECT_EQ(fake.resident_bytes(base, 2 * block_size), 2 * block_size);
    EXPECT_EQ(fills(), 0u);
    give_and_purge(base, 2);
    EXPECT_EQ(fake.resident_bytes(base, 2 * block_size), 0u);
    fake.refuse(system_call::populate);
    const uintptr_t again = use(2, false);
    EXPECT_EQ(fake.resident_bytes(again, 2 * block_size), 2 * (block_size - os::page_size()));
    expect_true_counters(2 * slices_per_block);
}

TEST_F(density, is_not_shown_by_what_was_faulted_in_at_once) {
    settings.huge_pages = false;
    fake.allow_plain_blocks();
    give_and_purge(use(1, true), 1);
    for (int i = 0; i < 12; ++i)
        give_and_purge(use(1, false), 1);
    EXPECT_EQ(fake.count(system_call::populate), 8u);
    give_and_purge(use(1, true), 1);
    use(1, false);
    EXPECT_EQ(fake.count(system_call::populate), 9u);
}

TEST_F(density, has_nothing_faulted_in_above_a_soft_limit) {
    settings.huge_pages = false;
    fake.allow_plain_blocks();
    give_and_purge(use(4, true), 4);
    limits.set_soft(block_size);
    use(4, false);
    EXPECT_EQ(fake.count(system_call::populate), 0u);
}

TEST_F(density, is_no_reason_while_dirty_memory_is_there) {
    give_and_purge(use(1, true), 1);
    give(use(1, true), slices_per_block);
    EXPECT_EQ(fills(), 1u);
    use(1, true);
    EXPECT_EQ(fills(), 1u);
}

TEST_F(density, asks_for_no_huge_page_where_they_take_long_or_are_not_wanted) {
    give_and_purge(use(4, true), 4);
    settings.huge_pages = false;
    fake.allow_plain_blocks();
    give_and_purge(use(1, true), 1);
    EXPECT_EQ(fills(), 0u);
    settings.huge_pages = true;
    fake.slow_fills(5000);
    give_and_purge(use(1, true), 1);
    EXPECT_EQ(fills(), 1u);
    use(2, true);
    EXPECT_EQ(fills(), 1u);
    fake.advance(101);
    use(1, true);
    EXPECT_EQ(fills(), 2u);
}

// ---- where the kernel gives huge pages unasked

class unasked : public page_tier_test {
protected:
    unasked() {
        fake.give_huge_pages_unasked();
        take_first_blocks();
    }
};

// A process that needs 100 KiB would have 2 MiB.
TEST_F(unasked, huge_pages_are_not_for_the_first_blocks) {
    EXPECT_EQ(fake.plain_blocks(), first_blocks);
    take(slices_per_block);
    EXPECT_EQ(fake.plain_blocks(), first_blocks);
}

TEST_F(unasked, huge_pages_are_not_made_of_what_stays_when_a_part_goes_back) {
    const uintptr_t base = take(slices_per_block);
    const uintptr_t other = take(slices_per_block);
    EXPECT_TRUE(pages.in_huge_page(base)) << "it may be one";
    give(base, 20);
    pages.purge_all();
    EXPECT_EQ(plain_blocks(), 1u);
    EXPECT_FALSE(pages.in_huge_page(base));
    give(base + 20 * slice_size, 2);
    pages.purge_all(); // is not said again: the fake would complain
    EXPECT_TRUE(pages.purge_within(other, os::page_size()));
    EXPECT_EQ(plain_blocks(), 2u);
    EXPECT_TRUE(pages.purge_within(other + slice_size, os::page_size()));
}

TEST_F(unasked, huge_pages_may_come_again_where_nothing_stays) {
    const uintptr_t base = take(slices_per_block);
    give(base, slices_per_block);
    pages.purge_all();
    EXPECT_EQ(plain_blocks(), 0u);
    const uintptr_t again = take(slices_per_block);
    give(again, 10);
    give(again + 10 * slice_size, 22);
    pages.purge_all();
    EXPECT_EQ(plain_blocks(), 0u);
}

TEST_F(unasked, huge_pages_are_refused_from_the_start_where_the_option_says_so) {
    settings.huge_pages = false;
    fake.allow_plain_blocks();
    const uintptr_t base = take(slices_per_block);
    EXPECT_EQ(plain_blocks(), 1u);
    EXPECT_FALSE(pages.in_huge_page(base));
    give(base, 20);
    pages.purge_all();
    EXPECT_EQ(plain_blocks(), 1u);
}

TEST_F(page_tier_test, where_huge_pages_have_to_be_asked_for_nothing_is_said_about_them) {
    take_first_blocks();
    const uintptr_t base = take(slices_per_block);
    give(base, 20);
    pages.purge_all();
    EXPECT_EQ(plain_blocks(), 0u);
}

} // namespace
} // namespace lowtide::test
