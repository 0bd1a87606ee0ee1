// Huge pages for blocks that have long been in use throughout, by the injected clocks.
#include "support/page_tier_test.h"

#include <cstring>

namespace lowtide::test {
namespace {

class collapse : public page_tier_test {
protected:
    collapse() { take_first_blocks(); }

    static constexpr unsigned enough = 8; // blocks: 16 MiB, below which small pages do

    // Blocks that are in use and in memory throughout; the first.
    uintptr_t fill_blocks(unsigned blocks) {
        const uintptr_t base = take(blocks * slices_per_block);
        EXPECT_EQ(base % block_size, 0u);
        std::memset(reinterpret_cast<void*>(base), 1, blocks * block_size);
        return base;
    }
    // The program works for so long; then the search goes on.
    bool step(uint64_t ms, uint64_t cpu_us) {
        fake.advance(ms);
        fake.work(cpu_us);
        return pages.collapse_dense();
    }
    bool busy(uint64_t ms) { return step(ms, ms * 1000); }
    void let_settle() {
        busy(1); // the clocks are known
        busy(1); // the first round
        busy(2000);
    }
    size_t done() { return pages.counts().collapsed_blocks; }
    size_t asked() const { return fake.count(system_call::collapse); }
};

TEST_F(collapse, is_for_blocks_that_stay_full_for_two_rounds) {
    fill_blocks(enough);
    EXPECT_TRUE(busy(500) || busy(500)) << "they may settle";
    EXPECT_EQ(asked(), 0u);
    busy(2000);
    EXPECT_EQ(asked(), 1u) << "one at a time";
    for (unsigned i = 0; i < enough; ++i)
        busy(500);
    EXPECT_EQ(done(), enough);
    busy(2000);
    EXPECT_FALSE(busy(2000)) << "nothing is left to do";
    EXPECT_EQ(asked(), enough);
    expect_true_counters((first_blocks + enough) * slices_per_block);
}

TEST_F(collapse, is_not_for_a_block_of_which_something_was_free_meanwhile) {
    const uintptr_t base = fill_blocks(enough);
    busy(1);
    busy(1);
    for (unsigned i = 0; i < enough; ++i) {
        give(base + i * block_size, 1);
        EXPECT_EQ(take(1), base + i * block_size) << "it is dirty, so it is the first to be used again";
    }
    busy(2000);
    EXPECT_EQ(asked(), 0u);
    busy(2000);
    EXPECT_EQ(asked(), 1u);
}

TEST_F(collapse, is_not_for_blocks_with_free_slices) {
    const uintptr_t base = fill_blocks(enough + 1);
    for (unsigned i = 0; i < enough + 1; ++i)
        give(base + i * block_size, 1);
    for (unsigned i = 0; i < 10; ++i)
        busy(1000);
    EXPECT_EQ(asked(), 0u);
}

TEST_F(collapse, takes_hardly_any_memory) {
    const uintptr_t base = fill_blocks(enough);
    const size_t page = os::page_size();
    const size_t missing = block_size / page / 32;
    for (unsigned i = 1; i < enough; ++i)
        ASSERT_TRUE(os::purge(base + i * block_size, (missing + 1) * page));
    ASSERT_TRUE(os::purge(base, missing * page));
    let_settle();
    for (unsigned i = 0; i < 10; ++i)
        busy(1000);
    EXPECT_EQ(asked(), 1u);
    EXPECT_EQ(fake.resident_bytes(base, block_size), block_size);
}

TEST_F(collapse, of_what_a_child_shares_would_be_a_copy) {
    const uintptr_t base = fill_blocks(enough);
    for (unsigned i = 0; i < enough; ++i)
        fake.share(base + i * block_size);
    for (unsigned i = 0; i < 10; ++i)
        busy(1000);
    EXPECT_EQ(asked(), 0u);
}

TEST_F(collapse, is_looked_for_less_and_less_where_what_is_full_is_not_dense) {
    const uintptr_t base = fill_blocks(enough);
    for (unsigned i = 0; i < enough; ++i)
        ASSERT_TRUE(os::purge(base + i * block_size, block_size / 2));
    bool more = false;
    for (unsigned i = 0; i < 60; ++i)
        more = busy(1000);
    EXPECT_FALSE(more) << "the thread may sleep";
    std::memset(reinterpret_cast<void*>(base), 1, enough * block_size);
    for (unsigned i = 0; i < 200; ++i)
        busy(1000);
    EXPECT_EQ(done(), enough);
}

TEST_F(collapse, costs_nothing_while_the_program_rests) {
    fill_blocks(enough);
    for (unsigned i = 0; i < 10; ++i)
        EXPECT_FALSE(step(1000, 0));
    EXPECT_EQ(asked(), 0u);
    for (unsigned i = 0; i < 10; ++i)
        EXPECT_FALSE(step(1000, 50'000)) << "a twentieth of a processor is little";
}

TEST_F(collapse, costs_a_hundredth_of_the_programs_own_time) {
    fill_blocks(3 * enough);
    fake.slow_collapses(5000);
    let_settle();
    const size_t before = asked();
    for (unsigned i = 0; i < 60; ++i)
        busy(100);
    EXPECT_NEAR(static_cast<double>(asked() - before), 12, 2);
}

TEST_F(collapse, that_fails_is_tried_less_and_less) {
    fill_blocks(3 * enough);
    fake.refuse(system_call::collapse);
    let_settle();
    EXPECT_EQ(asked(), 1u);
    uint64_t pause_ms = 1000;
    for (unsigned tries = 2; tries < 6; ++tries, pause_ms *= 2) {
        busy(pause_ms - 1);
        EXPECT_EQ(asked(), tries - 1) << "too early";
        for (int i = 0; asked() != tries && i < 3; ++i) // a round may have to begin
            busy(i == 0 ? 1 : 2000);
        EXPECT_EQ(asked(), tries);
    }
    EXPECT_EQ(done(), 0u);
    fake.refuse(system_call::collapse, false);
    busy(16'000);
    busy(2000);
    busy(2000);
    const size_t before = done();
    EXPECT_GE(before, 1u);
    busy(500);
    EXPECT_EQ(done(), before + 1) << "no pause after success";
}

TEST_F(collapse, is_not_for_a_small_process) {
    fill_blocks(enough - first_blocks - 1);
    for (unsigned i = 0; i < 10; ++i)
        EXPECT_FALSE(busy(1000));
    EXPECT_EQ(asked(), 0u);
}

TEST_F(collapse, is_not_for_who_wants_no_huge_pages) {
    settings.huge_pages = false;
    fake.allow_plain_blocks();
    fill_blocks(enough);
    for (unsigned i = 0; i < 10; ++i)
        EXPECT_FALSE(busy(1000));
    EXPECT_EQ(asked(), 0u);
}

TEST_F(collapse, waits_while_a_limit_is_near) {
    fill_blocks(enough);
    let_settle();
    const size_t before = asked();
    limits.set_soft((first_blocks + enough) * block_size);
    for (unsigned i = 0; i < 10; ++i)
        EXPECT_FALSE(busy(1000));
    EXPECT_EQ(asked(), before);
}

// There is no advice to take back (the fake knows), and no proof of how the block was used.
TEST_F(collapse, leaves_blocks_that_go_back_as_any_other) {
    const uintptr_t base = fill_blocks(enough);
    let_settle();
    for (unsigned i = 0; i < enough; ++i)
        busy(500);
    ASSERT_EQ(done(), enough);
    EXPECT_TRUE(pages.in_huge_page(base));
    give(base, 1);
    pages.purge_all();
    EXPECT_FALSE(pages.in_huge_page(base));
    EXPECT_TRUE(pages.in_huge_page(base + block_size));
    EXPECT_EQ(take(1), base);
    std::memset(reinterpret_cast<void*>(base), 1, slice_size);
    for (unsigned i = 0; i < 5; ++i)
        busy(2000);
    EXPECT_EQ(done(), enough + 1) << "once more, since it is full again";
}

// What was given back in that moment is in memory again.
TEST_F(collapse, while_a_slice_is_freed_and_goes_back_leaves_that_dirty) {
    const uintptr_t base = fill_blocks(enough);
    bool first = true;
    fake.on_call([&](system_call which) {
        if (which != system_call::collapse || !first)
            return;
        first = false;
        give(base, 2);
        EXPECT_EQ(pages.purge_all(), 2 * slice_size);
    });
    let_settle();
    ASSERT_FALSE(first);
    EXPECT_EQ(pages.counts().dirty_bytes, 2 * slice_size);
    EXPECT_EQ(pages.purge_all(), 2 * slice_size);
    EXPECT_EQ(fake.resident_bytes(base, 2 * slice_size), 0u);
    expect_true_counters((first_blocks + enough) * slices_per_block - 2);
}

TEST_F(collapse, finds_the_blocks_of_every_reservation) {
    for (unsigned i = 0; i < 40 * slices_per_block; i += 8) // 16, then as much again, and twice, …
        std::memset(reinterpret_cast<void*>(take(8)), 1, 8 * slice_size);
    for (unsigned i = 0; i < 100; ++i)
        busy(500);
    EXPECT_EQ(done(), 40u);
}

} // namespace
} // namespace lowtide::test
