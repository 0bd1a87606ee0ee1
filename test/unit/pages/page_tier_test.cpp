// Runs of slices: where they come from, and what is known about them.
#include "support/page_tier_test.h"

#include <memory>
#include <set>
#include <vector>

namespace lowtide::test {
namespace {

class runs_of_slices : public page_tier_test {};

uintptr_t block_at(uintptr_t address) {
    return align_down(address, block_size);
}

TEST_F(runs_of_slices, every_length_can_be_had_and_none_overlaps) {
    std::set<uintptr_t> taken;
    size_t used = 0;
    for (uint32_t length = 1; length <= 100; ++length) {
        const uintptr_t base = take(length);
        EXPECT_EQ(base % slice_size, 0u);
        for (uint32_t i = 0; i < length; ++i)
            EXPECT_TRUE(taken.insert(base + i * slice_size).second);
        stamp(base, length, length);
        used += length;
    }
    expect_true_counters(used);
}

TEST_F(runs_of_slices, nothing_is_not_a_run) {
    EXPECT_EQ(pages.allocate({0}).base, 0u);
    EXPECT_EQ(pages.counts().used_bytes, 0u);
}

TEST_F(runs_of_slices, are_aligned_as_asked_up_to_a_block) {
    static_cast<void>(take(1)); // so that nothing is aligned by accident
    for (size_t alignment = slice_size; alignment <= block_size; alignment *= 2)
        for (const uint32_t length : {1u, 3u, 8u, 20u, 32u})
            EXPECT_EQ(take(length, alignment) % alignment, 0u) << length << " " << alignment;
    EXPECT_EQ(take(1, 16) % slice_size, 0u);
    EXPECT_EQ(take(70) % slice_size, 0u);
}

TEST_F(runs_of_slices, the_page_map_can_tell_about_every_slice_and_knows_its_block) {
    const uintptr_t base = take(100);
    span s;
    map->set(base, {100}, &s, 0);
    for (uint32_t i = 0; i < 100; ++i) {
        const uintptr_t slice = base + i * slice_size;
        EXPECT_EQ(map->find(slice), &s);
        ASSERT_TRUE(map->in_block(slice));
        EXPECT_EQ(map->block_of(slice)->base, block_at(slice));
    }
}

TEST_F(runs_of_slices, a_block_that_is_partly_used_comes_before_a_fresh_one) {
    const uintptr_t first = take(30);
    const uintptr_t second = take(30);
    EXPECT_NE(block_at(first), block_at(second));
    EXPECT_EQ(block_at(take(2)), block_at(first));
    EXPECT_EQ(block_at(take(2)), block_at(second));
    EXPECT_EQ(pages.counts().committed_bytes, 2 * block_size);
}

// Two blocks with the same longest run: one has 24 slices in use, the other 8.
TEST_F(runs_of_slices, come_from_the_fullest_block_that_has_room) {
    uintptr_t sparse[4];
    uintptr_t full[4];
    for (uintptr_t& run : sparse)
        run = take(8);
    for (uintptr_t& run : full)
        run = take(8);
    give(full[1], 8);
    for (const int i : {0, 2})
        give(sparse[i], 8);
    EXPECT_EQ(block_at(take(8)), block_at(full[0]));
    EXPECT_EQ(block_at(take(8)), block_at(sparse[0]));
}

TEST_F(runs_of_slices, the_shortest_gap_that_suffices_is_used) {
    const uintptr_t wide = take(32);
    const uintptr_t narrow = take(32);
    give(wide, 16);
    give(narrow + 4 * slice_size, 3);
    EXPECT_EQ(take(3), narrow + 4 * slice_size);
    EXPECT_EQ(block_at(take(3)), block_at(wide));
}

TEST_F(runs_of_slices, of_several_blocks_take_the_shortest_resident_stretch) {
    const uintptr_t longer = take(100);
    const uintptr_t between = take(40);
    const uintptr_t shorter = take(50);
    const uintptr_t behind = take(40);
    give(longer, 100);
    give(shorter, 50);
    EXPECT_EQ(take(45), shorter);
    EXPECT_EQ(take(45), longer);
    give(between, 40);
    give(behind, 40);
}

// What isn't resident has to be faulted in.
TEST_F(runs_of_slices, of_several_blocks_take_the_most_resident_end_of_a_stretch) {
    const uintptr_t base = take(128);
    give(base, 64);
    static_cast<void>(pages.purge_all());
    give(base + 64 * slice_size, 64);
    EXPECT_EQ(take(80), base + 48 * slice_size);
}

TEST_F(runs_of_slices, resident_memory_comes_before_clean_memory) {
    const uintptr_t base = take(32);
    give(base, 4);
    EXPECT_GT(pages.purge_all(), 0u);
    give(base + 16 * slice_size, 4);
    const page_run run = pages.allocate({4});
    EXPECT_EQ(run.base, base + 16 * slice_size) << "not the lower one, which would have to be faulted in";
    EXPECT_FALSE(run.zeroed);
    const page_run clean = pages.allocate({4});
    EXPECT_EQ(clean.base, base);
    EXPECT_TRUE(clean.zeroed);
}

TEST_F(runs_of_slices, memory_said_to_be_zero_is) {
    const page_run fresh = pages.allocate({8});
    EXPECT_TRUE(fresh.zeroed);
    EXPECT_TRUE(is_stamped(fresh.base, 8, 0));
    stamp(fresh.base, 8, 1);
    give(fresh.base, 4);
    const page_run reused = pages.allocate({4});
    EXPECT_EQ(reused.base, fresh.base);
    EXPECT_FALSE(reused.zeroed);
    give(fresh.base, 8);
    EXPECT_EQ(pages.purge_all(), 8 * slice_size);
    const page_run purged = pages.allocate({8});
    EXPECT_TRUE(purged.zeroed);
    EXPECT_TRUE(is_stamped(purged.base, 8, 0));
}

TEST_F(runs_of_slices, memory_that_is_zero_in_part_is_not_said_to_be_zero) {
    const uintptr_t base = take(32);
    stamp(base, 32, 1);
    give(base, 8);
    EXPECT_GT(pages.purge_all(), 0u);
    give(base + 8 * slice_size, 24);
    EXPECT_FALSE(pages.allocate({32}).zeroed);
    const uintptr_t blocks = take(40);
    stamp(blocks, 40, 1);
    give(blocks + 39 * slice_size, 1);
    give(blocks, 39);
    const page_run again = pages.allocate({64});
    EXPECT_EQ(again.base, blocks);
    EXPECT_FALSE(again.zeroed);
}

TEST_F(runs_of_slices, given_back_clean_they_count_as_zero) {
    const uintptr_t base = take(8);
    ASSERT_TRUE(pages.deallocate(base, {8}, {.clean = true}));
    EXPECT_EQ(pages.counts().dirty_bytes, 0u);
    EXPECT_TRUE(pages.allocate({8}).zeroed);
}

TEST_F(runs_of_slices, can_grow_into_what_is_free_behind_them) {
    const uintptr_t base = take(4);
    EXPECT_TRUE(pages.extend(base, {4}, {4}));
    EXPECT_EQ(take(1), base + 8 * slice_size) << "the slices are taken";
    EXPECT_FALSE(pages.extend(base, {8}, {1})) << "no longer free";
    expect_true_counters(9);
    give(base + 4 * slice_size, 4);
    EXPECT_FALSE(pages.extend(base, {4}, {5})) << "free in part only";
    expect_true_counters(5);
}

TEST_F(runs_of_slices, grow_to_the_end_of_their_block_and_not_beyond) {
    const uintptr_t base = take(4);
    EXPECT_FALSE(pages.extend(base, {4}, {29}));
    EXPECT_FALSE(pages.extend(base, {4}, {0}));
    EXPECT_FALSE(pages.extend(base, {4}, {100}));
    EXPECT_TRUE(pages.extend(base, {4}, {28}));
    EXPECT_FALSE(pages.extend(base, {32}, {1}));
    expect_true_counters(32);
    const uintptr_t blocks = take(40);
    EXPECT_TRUE(pages.extend(blocks, {40}, {24})) << "in its last block a long run grows too";
    expect_true_counters(32 + 64);
}

// Two blocks with 16 free slices each, which lie together: but neither is room for a run of 20.
TEST_F(runs_of_slices, that_fit_into_no_block_get_a_fresh_one) {
    const uintptr_t first = take(32);
    const uintptr_t second = take(32);
    ASSERT_EQ(second, first + block_size);
    give(first + 16 * slice_size, 16);
    give(second, 16);
    const uintptr_t run = take(20);
    EXPECT_GE(run, second + block_size);
    expect_true_counters(32 + 20);
    EXPECT_EQ(take(32 - 1), run + block_size) << "nor do those slices serve a run of 31";
    const std::set<uintptr_t> halves = {take(16), take(16)};
    EXPECT_EQ(halves, (std::set{first + 16 * slice_size, second}));
}

TEST_F(runs_of_slices, long_ones_use_blocks_in_a_row_that_were_freed) {
    const uintptr_t base = take(32 * 5);
    const uintptr_t behind = take(32);
    EXPECT_EQ(behind, base + 5 * block_size);
    const size_t committed = pages.counts().committed_bytes;
    give(base, 32 * 5);
    EXPECT_EQ(take(32 * 5), base);
    EXPECT_EQ(pages.counts().committed_bytes, committed);
}

TEST_F(runs_of_slices, the_rest_of_a_long_runs_last_block_is_not_lost) {
    const uintptr_t base = take(33);
    EXPECT_EQ(take(31), base + 33 * slice_size);
}

TEST_F(runs_of_slices, may_be_longer_than_a_reservation) {
    constexpr uint32_t gib = 1024 * mebibyte / slice_size;
    const uintptr_t base = take(gib + 1);
    stamp(base, 1, 1);
    stamp(base + (gib - 1) * slice_size, 2, 1);
    expect_true_counters(gib + 1);
    give(base, gib + 1);
    expect_true_counters(0);
}

TEST_F(runs_of_slices, a_signal_handler_in_the_middle_is_sent_away) {
    const uintptr_t kept = take(1);
    bool asked = false;
    fake.on_call([&](system_call which) {
        if (which != system_call::commit)
            return;
        asked = true;
        EXPECT_EQ(pages.allocate({1}).base, 0u);
        EXPECT_FALSE(pages.deallocate(kept, {1}));
        EXPECT_FALSE(pages.extend(kept, {1}, {1}));
    });
    static_cast<void>(take(32));
    EXPECT_TRUE(asked);
    fake.on_call({});
    expect_true_counters(33);
    give(kept, 1);
    expect_true_counters(32);
}

TEST_F(runs_of_slices, every_span_in_a_block_is_visited_once) {
    std::set<const span*> expected;
    std::vector<std::unique_ptr<span>> spans;
    for (const uint32_t length : {1u, 5u, 32u, 70u, 2u, 1u}) {
        spans.push_back(std::make_unique<span>());
        spans.back()->base = take(length);
        if (length == 5)
            map->set(spans.back()->base, {length}, spans.back().get(), 0);
        else
            map->set_single(spans.back()->base, {length}, spans.back().get());
        expected.insert(spans.back().get());
    }
    static_cast<void>(take(3)); // not registered
    std::multiset<const span*> visited;
    pages.for_each_span([&](const span& s) { visited.insert(&s); });
    EXPECT_EQ(visited, std::multiset<const span*>(expected.begin(), expected.end()));
}

} // namespace
} // namespace lowtide::test
