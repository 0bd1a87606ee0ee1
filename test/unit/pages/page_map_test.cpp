// The page map: finds what was registered, and null for any other address, whatever its bits.
#include "pages/page_map.h"

#include "pages/block.h"

#include "support/fake_pages.h"
#include "support/zeroed.h"

#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <thread>
#include <vector>

namespace lowtide::test {
namespace {

constexpr uintptr_t four_gib = uintptr_t{1} << 32;
constexpr uintptr_t place = 0x1234 * four_gib; // where nothing is: the map never looks at the memory itself

class page_maps : public testing::Test {
protected:
    fake_pages fake;
    zeroed<page_map> map;
    span some{};
    span other{};
};

TEST_F(page_maps, an_empty_map_finds_nothing_at_any_address) {
    for (const uintptr_t address :
         {uintptr_t{0}, uintptr_t{1}, place, UINTPTR_MAX, UINTPTR_MAX - slice_size, uintptr_t{1} << 47,
          uintptr_t{1} << 48, reinterpret_cast<uintptr_t>(this)}) {
        EXPECT_EQ(map->find(address), nullptr) << std::hex << address;
        EXPECT_FALSE(map->in_block(address)) << std::hex << address;
    }
}

TEST_F(page_maps, a_span_is_found_from_each_of_its_bytes_and_from_no_other) {
    ASSERT_TRUE(map->cover(*fake.source(), place, block_size));
    map->set(place + slice_size, {3}, &some, 0);
    EXPECT_EQ(map->find(place + slice_size - 1), nullptr);
    for (uintptr_t offset = slice_size; offset < 4 * slice_size; offset += 1021)
        ASSERT_EQ(map->find(place + offset), &some);
    EXPECT_EQ(map->find(place + 4 * slice_size - 1), &some);
    EXPECT_EQ(map->find(place + 4 * slice_size), nullptr);
    map->clear(place + 2 * slice_size, {1});
    EXPECT_EQ(map->find(place + slice_size), &some);
    EXPECT_EQ(map->find(place + 2 * slice_size), nullptr);
    EXPECT_EQ(map->find(place + 3 * slice_size), &some);
}

// Only where it begins, and at the blocks behind, so that a long one is registered in no time.
TEST_F(page_maps, the_span_of_one_object_is_found_at_its_beginning_and_around_all_of_its_bytes) {
    ASSERT_TRUE(map->cover(*fake.source(), place, 4 * block_size));
    const uintptr_t base = place + 3 * slice_size;
    some.base = base;
    some.length = {2 * slices_per_block + 5};
    block committed;
    committed.state = block_state::committed;
    for (uintptr_t at = place; at < place + 4 * block_size; at += block_size)
        map->set_block(at, &committed);
    map->set_single(base, some.length, &some);
    EXPECT_EQ(map->find(base), &some);
    EXPECT_EQ(map->find(base + slice_size), nullptr);
    EXPECT_EQ(map->around(base - 1), nullptr);
    for (uintptr_t offset = 0; offset < some.length.bytes(); offset += 4093)
        ASSERT_EQ(map->around(base + offset), &some) << offset;
    EXPECT_EQ(map->around(base + some.length.bytes() - 1), &some);
    EXPECT_EQ(map->around(base + some.length.bytes()), nullptr);
    map->clear_single(base, some.length);
    for (uintptr_t offset = 0; offset < some.length.bytes(); offset += slice_size)
        ASSERT_EQ(map->around(base + offset), nullptr) << offset;
}

TEST_F(page_maps, what_lies_around_an_address_is_not_what_lies_before_it) {
    ASSERT_TRUE(map->cover(*fake.source(), place, block_size));
    some.base = place;
    some.length = {2};
    map->set(place, some.length, &some, 0);
    EXPECT_EQ(map->around(place + 2 * slice_size - 1), &some);
    EXPECT_EQ(map->around(place + 2 * slice_size), nullptr);
    for (const uintptr_t nowhere : {uintptr_t{0}, place - 1, place + block_size, UINTPTR_MAX})
        EXPECT_EQ(map->around(nowhere), nullptr) << std::hex << nowhere;
    some.kind = span_kind::huge;
    some.object_size = slice_size + 1;
    EXPECT_EQ(map->around(place + slice_size), &some);
    EXPECT_EQ(map->around(place + slice_size + 1), nullptr) << "the rest of the slice may be somebody else's";
}

// The record before it may be unmapped by another thread while this one looks.
TEST_F(page_maps, a_huge_span_that_lies_before_an_address_is_not_looked_at) {
    ASSERT_TRUE(map->cover(*fake.source(), place, block_size));
    auto* const gone = reinterpret_cast<span*>(uintptr_t{64}); // a crash, if it is read
    map->set_huge(place, {2}, gone);
    EXPECT_EQ(map->find(place + slice_size), gone);
    EXPECT_EQ(map->around(place + 2 * slice_size), nullptr);
    block lost;
    lost.state = block_state::lost;
    map->set_block(place, &lost);
    EXPECT_EQ(map->around(place + 2 * slice_size), nullptr);
}

// 2^48 and more apart, so that all of the lower bits are the same.
TEST_F(page_maps, addresses_with_other_upper_bits_find_nothing) {
    ASSERT_TRUE(map->cover(*fake.source(), place, block_size));
    map->set(place, {1}, &some, 0);
    map->set_block(place, reinterpret_cast<block*>(&other));
    ASSERT_TRUE(map->in_block(place));
    for (unsigned bit = 48; bit < 64; ++bit) {
        EXPECT_EQ(map->find(place | uintptr_t{1} << bit), nullptr) << bit;
        EXPECT_FALSE(map->in_block(place | uintptr_t{1} << bit)) << bit;
    }
    std::mt19937_64 random(1);
    for (int i = 0; i < 100'000; ++i) {
        const uintptr_t wild = random();
        ASSERT_EQ(map->find(wild), wild - place < slice_size ? &some : nullptr) << std::hex << wild;
    }
}

TEST_F(page_maps, a_span_may_lie_across_the_border_of_two_leaves) {
    const uintptr_t base = place - slice_size;
    ASSERT_TRUE(map->cover(*fake.source(), base, 2 * slice_size));
    map->set(base, {2}, &some, 0);
    EXPECT_EQ(map->find(place - 1), &some);
    EXPECT_EQ(map->find(place), &some);
    EXPECT_EQ(map->find(place + slice_size), nullptr);
}

// The arithmetic of the fast path (entry/fast_path_x86_64.S), on the same offsets.
uint32_t fast_entry(const page_map& map, uintptr_t address) {
    const auto bytes = reinterpret_cast<const char*>(&map);
    const uintptr_t root_index = address >> 32 & 0xffff;
    const uintptr_t slice = address >> 16 & 0xffff;
    int64_t distance = 0;
    memcpy(&distance, bytes + page_map::offset_of_root() + root_index * sizeof(distance), sizeof(distance));
    const auto leaf = reinterpret_cast<const uint32_t*>(bytes + page_map::offset_of_empty_leaf()) + distance;
    return leaf[slice];
}

TEST_F(page_maps, the_fast_entry_is_at_the_slices_it_was_given_to) {
    const size_class c = class_holding(64);
    ASSERT_TRUE(map->cover(*fake.source(), place, block_size));
    map->set(place, {4}, &some, fast_entry_of(c));
    map->set_single(place + 4 * slice_size, {4}, &other);
    map->set_fast(place + 4 * slice_size, fast_entry_of(c));
    for (uintptr_t slice = 0; slice < 9; ++slice)
        EXPECT_EQ(fast_entry(*map.get(), place + slice * slice_size), slice <= 4 ? fast_entry_of(c) : 0)
            << slice;
    map->clear(place, {4});
    EXPECT_EQ(fast_entry(*map.get(), place), 0u);
}

TEST_F(page_maps, the_fast_entry_of_any_other_address_is_0) {
    for (const uintptr_t address : {uintptr_t{0}, place, UINTPTR_MAX, uintptr_t{1} << 47, uintptr_t{1} << 63})
        EXPECT_EQ(fast_entry(*map.get(), address), 0u) << std::hex << address;
}

TEST_F(page_maps, a_closed_map_has_no_fast_entries_until_it_is_opened_again) {
    const size_class c = class_holding(64);
    const uintptr_t later = place + 5 * four_gib;
    ASSERT_TRUE(map->cover(*fake.source(), place, block_size));
    map->set(place, {1}, &some, fast_entry_of(c));
    map->close();
    EXPECT_EQ(fast_entry(*map.get(), place), 0u);
    EXPECT_EQ(map->find(place), &some) << "the slow half goes on";
    ASSERT_TRUE(map->cover(*fake.source(), later, block_size));
    map->set(later, {1}, &other, fast_entry_of(c));
    EXPECT_EQ(fast_entry(*map.get(), later), 0u) << "nor has a leaf that comes meanwhile";
    map->open();
    EXPECT_EQ(fast_entry(*map.get(), place), fast_entry_of(c));
    EXPECT_EQ(fast_entry(*map.get(), later), fast_entry_of(c));
}

TEST_F(page_maps, a_leaf_that_cannot_be_had_is_no_harm) {
    fake.refuse(system_call::map);
    EXPECT_FALSE(map->cover(*fake.source(), place, block_size));
    EXPECT_EQ(map->find(place), nullptr);
    fake.refuse(system_call::map, false);
    EXPECT_TRUE(map->cover(*fake.source(), place, block_size));
    const size_t leaves = fake.count(system_call::map);
    EXPECT_TRUE(map->cover(*fake.source(), place, 4 * block_size));
    EXPECT_EQ(fake.count(system_call::map), leaves) << "a leaf is mapped once";
}

TEST_F(page_maps, space_beyond_48_bits_cannot_be_covered) {
    EXPECT_FALSE(map->cover(*fake.source(), uintptr_t{1} << 48, block_size));
    EXPECT_FALSE(map->cover(*fake.source(), (uintptr_t{1} << 48) - block_size, 2 * block_size));
}

TEST_F(page_maps, threads_that_cover_the_same_space_agree_on_its_leaves) {
    constexpr unsigned threads = 4;
    constexpr unsigned leaves = 8;
    const page_source system;
    std::vector<span> spans(threads * leaves);
    std::vector<std::thread> all;
    for (unsigned t = 0; t < threads; ++t)
        all.emplace_back([&, t] {
            for (unsigned i = 0; i < leaves; ++i) {
                const uintptr_t mine = place + i * four_gib + t * slice_size;
                EXPECT_TRUE(map->cover(system, mine, slice_size));
                map->set(mine, {1}, &spans[t * leaves + i], fast_entry_of(class_holding(t * 16)));
            }
        });
    for (std::thread& t : all)
        t.join();
    for (unsigned t = 0; t < threads; ++t) {
        for (unsigned i = 0; i < leaves; ++i) {
            const uintptr_t mine = place + i * four_gib + t * slice_size;
            EXPECT_EQ(map->find(mine), &spans[t * leaves + i]);
            EXPECT_EQ(fast_entry(*map.get(), mine), fast_entry_of(class_holding(t * 16)));
        }
    }
}

} // namespace
} // namespace lowtide::test
