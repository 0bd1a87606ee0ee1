// What the process may hold, on fake pages.
#include "pages/huge.h"
#include "support/page_tier_test.h"

namespace lowtide::test {
namespace {

class soft_and_hard : public page_tier_test {
protected:
    size_t held() const { return limits.held(); }
    size_t dirty() { return pages.counts().dirty_bytes; }
    static constexpr size_t slices(size_t n) { return n * slice_size; }
    huge_tier huge{map.get(), &settings, fake.source(), &limits};
};

TEST_F(soft_and_hard, what_is_held_is_what_is_in_use_and_what_is_dirty) {
    const uintptr_t small = take(10);
    const uintptr_t large = take(100);
    EXPECT_EQ(held(), slices(110));
    give(small, 10);
    EXPECT_EQ(held(), slices(110)) << "it is still in memory";
    EXPECT_TRUE(pages.deallocate(large, {100}, {.clean = true}));
    EXPECT_EQ(held(), slices(10)) << "that had gone already";
    pages.purge_all();
    EXPECT_EQ(held(), 0u);
    span* s = huge.allocate(64 * mebibyte, slice_size).s;
    EXPECT_EQ(held(), 64 * mebibyte + os::page_size());
    s = huge.resize(*s, 80 * mebibyte);
    EXPECT_EQ(held(), 80 * mebibyte + os::page_size());
    s = huge.resize(*s, 70 * mebibyte);
    EXPECT_EQ(held(), 70 * mebibyte + os::page_size());
    huge.deallocate(*s);
    EXPECT_EQ(held(), huge.parked_bytes());
    huge.release_parked();
    EXPECT_EQ(held(), 0u);
}

TEST_F(soft_and_hard, at_the_hard_limit_only_what_is_held_already_can_be_had) {
    limits.set_hard(slices(100));
    const uintptr_t a = take(60);
    const uintptr_t b = take(20);
    take(20);
    EXPECT_EQ(pages.allocate({1}).base, 0u);
    EXPECT_EQ(pages.allocate({50}).base, 0u);
    EXPECT_FALSE(pages.extend(b, {20}, {1}));
    EXPECT_EQ(huge.allocate(4 * mebibyte, slice_size).s, nullptr);
    give(a, 60);
    EXPECT_EQ(dirty(), slices(60));
    EXPECT_NE(take(60), 0u) << "dirty memory serves again";
    give(b, 20);
    EXPECT_EQ(pages.allocate({50}).base, 0u) << "but in pieces it doesn't";
    pages.purge_all();
    EXPECT_NE(take(20), 0u);
}

TEST_F(soft_and_hard, a_huge_object_does_not_grow_beyond_the_hard_limit) {
    limits.set_hard(100 * mebibyte);
    span* s = huge.allocate(70 * mebibyte, slice_size).s;
    ASSERT_NE(s, nullptr);
    EXPECT_EQ(huge.resize(*s, 101 * mebibyte), nullptr);
    EXPECT_EQ(s->object_size, 70 * mebibyte);
    s = huge.resize(*s, 99 * mebibyte);
    ASSERT_NE(s, nullptr);
    EXPECT_EQ(pages.allocate({17}).base, 0u);
    huge.deallocate(*s);
}

TEST_F(soft_and_hard, a_refusal_by_the_hard_limit_does_not_give_address_space_up) {
    limits.set_hard(slices(64));
    const uintptr_t a = take(32);
    take(32);
    EXPECT_EQ(pages.allocate({1}).base, 0u);
    give(a, 32);
    pages.purge_all();
    EXPECT_EQ(fake.count(system_call::release), 0u);
}

TEST_F(soft_and_hard, dirty_memory_makes_room_under_the_soft_limit) {
    limits.set_soft(slices(100));
    const uintptr_t pieces = take(60);
    for (uint32_t i = 0; i < 60; i += 2)
        give(pieces + i * slice_size, 1);
    EXPECT_EQ(dirty(), slices(30));
    take(60); // 30 in use, 60 more
    EXPECT_LE(held(), slices(100));
    EXPECT_EQ(pages.counts().used_bytes, slices(90));
    take(60);
    EXPECT_EQ(dirty(), 0u);
    EXPECT_EQ(held(), slices(150)) << "what the program needs it gets";
}

TEST_F(soft_and_hard, freed_memory_waits_only_as_far_as_the_soft_limit_allows) {
    limits.set_soft(slices(100));
    const uintptr_t a = take(90);
    const uintptr_t b = take(90);
    for (uint32_t i = 0; i < 90; ++i)
        give(a + i * slice_size, 1);
    EXPECT_LE(held(), slices(100));
    EXPECT_LE(dirty(), slices(10));
    for (uint32_t i = 0; i < 90; ++i)
        give(b + i * slice_size, 1);
    EXPECT_LE(held(), slices(100));
    EXPECT_GE(dirty(), slices(50)) << "and as far as it does";
}

TEST_F(soft_and_hard, a_lower_soft_limit_counts_at_once_when_the_cap_is_kept) {
    give(take(50), 50);
    EXPECT_EQ(dirty(), slices(50));
    limits.set_soft(slices(20));
    pages.keep_cap();
    EXPECT_LE(dirty(), slices(20));
}

// Nobody sees to it later: the process may make no call for long.
TEST_F(soft_and_hard, what_is_free_goes_back_at_once_when_less_is_in_use_and_nobody_attends) {
    limits.set_dirty_unattended(slices(64));
    const uintptr_t a = take(500);
    for (uint32_t i = 0; i < 200; ++i)
        give(a + i * slice_size, 1);
    EXPECT_EQ(dirty(), slices(200)) << "more is in use";
    for (uint32_t i = 200; i < 500; ++i)
        give(a + i * slice_size, 1);
    EXPECT_LE(dirty(), slices(64));
    limits.set_dirty_unattended(SIZE_MAX);
    give(take(500), 500);
    EXPECT_GE(dirty(), slices(500));
}

TEST_F(soft_and_hard, what_goes_back_unattended_again_and_again_is_little) {
    limits.set_dirty_unattended(slices(64));
    const auto bursts = [&](unsigned count, uint64_t each_ms) {
        const size_t before = pages.counts().purged_bytes;
        for (unsigned i = 0; i < count; ++i) {
            give(take(500), 500);
            fake.advance(each_ms);
        }
        return pages.counts().purged_bytes - before;
    };
    settings.window_ms = 1'000'000;
    bursts(100, 0); // the credit that there is at first
    EXPECT_EQ(bursts(100, 0), 0u);
    const size_t in_ten_seconds = bursts(1000, 10);
    EXPECT_LE(in_ten_seconds, 10'000 * 64 * kibibyte);
    EXPECT_GE(in_ten_seconds, 5'000 * 64 * kibibyte);
}

TEST_F(soft_and_hard, attention_is_due_when_so_much_is_held_or_when_it_is_called_for) {
    EXPECT_FALSE(limits.is_attention_due());
    take(static_cast<uint32_t>(ceiling::least_watched / slice_size));
    EXPECT_TRUE(limits.is_attention_due());
    limits.expect_attention_at(SIZE_MAX);
    EXPECT_FALSE(limits.is_attention_due());
    pages.tick(); // the first of a process doesn't count
    EXPECT_FALSE(limits.is_attention_due());
    fake.advance(1000);
    pages.tick();
    EXPECT_TRUE(limits.is_attention_due());
}

// What is free may not be there any more, and is when it is used again.
TEST_F(soft_and_hard, attention_is_due_when_much_that_was_free_is_taken_again) {
    limits.set_soft(slices(1000));
    limits.expect_attention_at(SIZE_MAX);
    give(take(100), 100);
    limits.forget_taken();
    limits.expect_attention_after(slices(100));
    take(50);
    EXPECT_FALSE(limits.is_attention_due());
    take(50);
    EXPECT_TRUE(limits.is_attention_due());
    limits.expect_attention_after(SIZE_MAX);
    limits.expect_attention_at(SIZE_MAX);
    take(200);
    EXPECT_FALSE(limits.is_attention_due());
}

} // namespace
} // namespace lowtide::test
