// Objects that are runs: their records, their place in the page map, growing and shrinking.
#include "pages/runs.h"

#include "support/page_tier_test.h"

#include <cstring>
#include <vector>

namespace lowtide::test {
namespace {

class runs : public page_tier_test {
protected:
    span& take_run(size_t size, size_t alignment = slice_size) {
        const span_result result = all.allocate(size, alignment);
        EXPECT_NE(result.s, nullptr) << size;
        return *result.s;
    }
    // The map leads from every slice of the run, and from no neighbour, to its record.
    void expect_registered(span& s) {
        for (uint32_t i = 0; i < s.length.n; ++i)
            EXPECT_EQ(map->around(s.base + i * slice_size + 77), &s);
        EXPECT_NE(map->around(s.base - 1), &s);
        EXPECT_NE(map->around(s.base + s.length.bytes()), &s);
    }

    run_tier all{&pages, map.get(), &records, fake.source()};
};

constexpr size_t kib = kibibyte;

// 200 MiB of blocks of 70,000 B were 314 in memory where others had been before.
// What was in use before is in memory throughout. 200 MiB of blocks of 70,000 B were 314 there.
TEST_F(runs, have_little_memory_beyond_what_was_asked_for) {
    settings.dirty_cap = 1024 * mebibyte;
    for (const size_t size : {size_t{70'000}, size_t{133'120}, size_t{400'000}}) {
        const uint32_t slices = 90 * slices_per_block;
        const uintptr_t before = take(slices);
        std::memset(reinterpret_cast<void*>(before), 1, slices * slice_size);
        give(before, slices);
        std::vector<span*> taken;
        const uint32_t count = slices / slices_per_block * (slices_per_block / slice_count::holding(size).n);
        for (uint32_t i = 0; i < count; ++i) {
            taken.push_back(&take_run(size));
            EXPECT_EQ(*reinterpret_cast<unsigned char*>(taken.back()->base + size - 1), 1) << "not less";
        }
        size_t resident = 0;
        for (const span* s : taken)
            resident += fake.resident_bytes(s->base, s->length.bytes());
        EXPECT_GE(resident, count * align_up(size, os::page_size()));
        EXPECT_LE(resident, count * align_up(size, os::page_size()) + slices * slice_size / 8 + slice_size);
        for (span* s : taken)
            EXPECT_TRUE(all.deallocate(*s));
        expect_true_counters(0);
        pages.purge_all();
    }
}

// The tails that went back once are not there when the next of the size comes.
TEST_F(runs, of_one_size_that_come_and_go_cost_no_system_call_for_their_tails) {
    settings.dirty_cap = 1024 * mebibyte;
    give(take(60 * slices_per_block), 60 * slices_per_block);
    size_t calls = 0;
    for (int round = 0; round < 4; ++round) {
        std::vector<span*> taken;
        for (int i = 0; i < 900; ++i)
            taken.push_back(&take_run(70'000));
        for (span* s : taken)
            EXPECT_TRUE(all.deallocate(*s));
        if (round == 1)
            calls = fake.count(system_call::purge);
    }
    EXPECT_GT(calls, 500u);
    EXPECT_EQ(fake.count(system_call::purge), calls);
    const uintptr_t other = take(60 * slices_per_block); // whose slices are used throughout
    give(other, 60 * slices_per_block);
    take_run(70'000);
    std::vector<span*> taken;
    for (int i = 0; i < 900; ++i)
        taken.push_back(&take_run(70'000));
    EXPECT_GT(fake.count(system_call::purge), calls + 500);
}

// There a huge page would come with the first byte that is written.
TEST_F(runs, get_no_huge_pages_unasked_that_their_tails_would_be_in) {
    fake.give_huge_pages_unasked();
    take_first_blocks();
    for (int i = 0; i < 1000; ++i)
        take_run(2 * slice_size);
    EXPECT_EQ(plain_blocks(), 0u) << "they have none";
    for (int i = 0; i < 1000; ++i)
        take_run(70'000);
    EXPECT_GT(plain_blocks(), 30u);
}

TEST_F(runs, that_were_never_touched_have_no_tail_to_give_back) {
    take_first_blocks();
    settings.dirty_cap = 1024 * mebibyte;
    for (int round = 0; round < 2; ++round) {
        std::vector<span*> taken;
        for (int i = 0; i < 1000; ++i)
            taken.push_back(&take_run(70'000));
        for (span* s : taken)
            EXPECT_TRUE(all.deallocate(*s));
    }
    EXPECT_EQ(fake.count(system_call::purge), 0u);
}

TEST_F(runs, that_are_few_cost_no_system_call_for_their_tails) {
    for (int i = 0; i < 20; ++i) {
        const uintptr_t before = take(40);
        give(before, 40);
        std::vector<span*> taken;
        for (int k = 0; k < 20; ++k)
            taken.push_back(&take_run(70'000));
        for (span* s : taken)
            EXPECT_TRUE(all.deallocate(*s));
    }
    EXPECT_EQ(fake.count(system_call::purge), 0u);
}

TEST_F(runs, that_are_nearly_filled_by_what_was_asked_for_cost_no_system_call) {
    const uintptr_t before = take(4);
    std::memset(reinterpret_cast<void*>(before), 1, 4 * slice_size);
    give(before, 4);
    const size_t calls = fake.count(system_call::purge);
    take_run(4 * slice_size - 30'000);
    EXPECT_EQ(fake.count(system_call::purge), calls);
}

TEST_F(runs, hold_what_was_asked_for_in_whole_slices) {
    for (const size_t size :
         {size_t{1}, 257 * kib, 300 * kib, 2 * mebibyte, 2 * mebibyte + 1, 40 * mebibyte}) {
        const span_result result = all.allocate(size, slice_size);
        ASSERT_NE(result.s, nullptr);
        EXPECT_TRUE(result.zeroed);
        EXPECT_EQ(result.s->object_size, align_up(size, slice_size));
        EXPECT_EQ(result.s->kind, span_kind::run);
        expect_registered(*result.s);
    }
}

TEST_F(runs, those_between_slabs_and_blocks_have_a_class_and_no_others) {
    EXPECT_EQ(take_run(64 * kib).sc, size_class{});
    EXPECT_EQ(take_run(65 * kib).sc, class_holding(65 * kib));
    EXPECT_EQ(take_run(2 * mebibyte).sc, class_holding(2 * mebibyte));
    EXPECT_EQ(take_run(2 * mebibyte + 1).sc, size_class{});
}

TEST_F(runs, are_counted_by_class) {
    span& a = take_run(300 * kib);
    span& b = take_run(320 * kib);
    span& c = take_run(10 * mebibyte);
    const size_class of_300k = class_holding(300 * kib);
    EXPECT_EQ(all.count(of_300k), 2u);
    EXPECT_EQ(all.count(size_class{}), 1u);
    EXPECT_EQ(all.unclassed_bytes(), 10 * mebibyte);
    EXPECT_TRUE(all.resize(c, 300 * kib));
    EXPECT_EQ(all.count(of_300k), 3u);
    EXPECT_EQ(all.unclassed_bytes(), 0u);
    for (span* s : {&a, &b, &c})
        EXPECT_TRUE(all.deallocate(*s));
    EXPECT_EQ(all.count(of_300k), 0u);
    EXPECT_EQ(all.count(size_class{}), 0u);
    expect_true_counters(0);
}

TEST_F(runs, that_are_gone_are_not_found_and_their_records_are_used_again) {
    span& s = take_run(300 * kib);
    const uintptr_t base = s.base;
    EXPECT_TRUE(all.deallocate(s));
    for (uint32_t i = 0; i < 5; ++i)
        EXPECT_EQ(map->around(base + i * slice_size), nullptr);
    const size_t mapped = records.mapped_bytes();
    for (int i = 0; i < 10'000; ++i)
        EXPECT_TRUE(all.deallocate(take_run(300 * kib)));
    EXPECT_EQ(records.mapped_bytes(), mapped);
}

TEST_F(runs, that_shrink_give_their_end_back_to_the_system_at_once) {
    span& s = take_run(2 * mebibyte);
    const uintptr_t base = s.base;
    stamp(base, 32, 1);
    EXPECT_TRUE(all.resize(s, 1 * mebibyte));
    EXPECT_EQ(s.object_size, 1 * mebibyte);
    EXPECT_TRUE(is_stamped(base, 16, 1));
    EXPECT_TRUE(is_stamped(base + 1 * mebibyte, 16, 0));
    EXPECT_EQ(pages.counts().dirty_bytes, 0u);
    expect_registered(s);
    EXPECT_EQ(s.sc, class_holding(1 * mebibyte));
    expect_true_counters(16);
}

TEST_F(runs, that_shrink_are_right_also_where_the_system_refuses_the_purge) {
    span& s = take_run(2 * mebibyte);
    stamp(s.base, 32, 1);
    fake.refuse(system_call::purge);
    EXPECT_TRUE(all.resize(s, 1 * mebibyte));
    EXPECT_EQ(pages.counts().dirty_bytes, 1 * mebibyte);
    const span_result tail = all.allocate(1 * mebibyte, slice_size);
    EXPECT_EQ(tail.s->base, s.base + 1 * mebibyte);
    EXPECT_FALSE(tail.zeroed);
}

TEST_F(runs, grow_where_they_are_as_long_as_what_is_behind_is_free) {
    span& s = take_run(300 * kib);
    stamp(s.base, s.length.n, 1);
    EXPECT_TRUE(all.resize(s, 1 * mebibyte));
    EXPECT_TRUE(is_stamped(s.base, 5, 1));
    EXPECT_EQ(s.object_size, 1 * mebibyte);
    EXPECT_EQ(s.sc, class_holding(1 * mebibyte));
    expect_registered(s);
    span& neighbour = take_run(300 * kib);
    ASSERT_EQ(neighbour.base, s.base + 1 * mebibyte);
    EXPECT_FALSE(all.resize(s, 1 * mebibyte + 1));
    EXPECT_EQ(s.object_size, 1 * mebibyte);
    expect_registered(s);
    expect_registered(neighbour);
}

TEST_F(runs, stay_as_they_are_for_a_size_in_the_same_slices) {
    span& s = take_run(300 * kib);
    EXPECT_TRUE(all.resize(s, 320 * kib));
    EXPECT_TRUE(all.resize(s, 257 * kib));
    EXPECT_EQ(s.object_size, 320 * kib);
    EXPECT_EQ(fake.count(system_call::purge), 0u);
}

TEST_F(runs, there_are_none_without_memory_and_nothing_is_lost) {
    span& s = take_run(300 * kib);
    const size_t mapped = records.mapped_bytes();
    fake.refuse(system_call::reserve);
    for (int i = 0; i < 10'000; ++i)
        EXPECT_EQ(all.allocate(64 * mebibyte, slice_size).s, nullptr);
    EXPECT_EQ(records.mapped_bytes(), mapped);
    EXPECT_EQ(all.count(size_class{}), 0u);
    fake.refuse(system_call::reserve, false);
    EXPECT_TRUE(all.deallocate(take_run(64 * mebibyte)));
    EXPECT_TRUE(all.deallocate(s));
    expect_true_counters(0);
}

TEST_F(runs, a_signal_handler_in_the_middle_changes_nothing) {
    span& s = take_run(1 * mebibyte);
    bool asked = false;
    fake.on_call([&](system_call which) {
        if (which != system_call::commit)
            return;
        asked = true;
        EXPECT_EQ(all.allocate(300 * kib, slice_size).s, nullptr);
        EXPECT_FALSE(all.deallocate(s));
        EXPECT_FALSE(all.resize(s, 300 * kib));
        EXPECT_FALSE(all.resize(s, 2 * mebibyte));
    });
    static_cast<void>(take_run(2 * mebibyte));
    EXPECT_TRUE(asked);
    fake.on_call({});
    EXPECT_EQ(s.object_size, 1 * mebibyte);
    EXPECT_EQ(all.count(class_holding(1 * mebibyte)), 1u);
    expect_registered(s);
    EXPECT_TRUE(all.deallocate(s));
    expect_true_counters(32);
}

} // namespace
} // namespace lowtide::test
