// Objects with a mapping of their own, on the real kernel: that is where they come from and nothing lies
// between.
#include "pages/huge.h"

#include "support/fake_pages.h"
#include "support/zeroed.h"

#include <fstream>
#include <gtest/gtest.h>

namespace lowtide::test {
namespace {

class huge : public testing::Test {
protected:
    span& take(size_t size, size_t alignment = slice_size) {
        const span_result result = all.allocate(size, alignment);
        EXPECT_NE(result.s, nullptr);
        return *result.s;
    }
    static unsigned char& byte(const span& s, size_t i) {
        return reinterpret_cast<unsigned char*>(s.base)[i];
    }

    zeroed<page_map> map;
    options settings{.dirty_cap = 0}; // nothing is parked
    fake_pages clock;
    ceiling limits;
    huge_tier all{map.get(), &settings, clock.source(), &limits};
};

TEST_F(huge, objects_are_zero_large_enough_and_found_by_their_first_byte) {
    for (const size_t size : {size_t{1}, 64 * mebibyte, 64 * mebibyte + 1}) {
        span& s = take(size);
        EXPECT_GE(s.object_size, size);
        EXPECT_LT(s.object_size, size + os::page_size());
        EXPECT_EQ(s.kind, span_kind::huge);
        EXPECT_EQ(map->find(s.base), &s);
        EXPECT_EQ(byte(s, 0) + byte(s, s.object_size - 1), 0);
        byte(s, 0) = byte(s, s.object_size - 1) = 1;
        all.deallocate(s);
    }
}

TEST_F(huge, alignments_up_to_1_gib_are_kept) {
    for (size_t alignment = 16; alignment <= 1024 * mebibyte; alignment *= 4) {
        span& s = take(3 * mebibyte, alignment);
        EXPECT_EQ(s.base % alignment, 0u);
        EXPECT_EQ(s.base % slice_size, 0u) << "the first slice is its alone";
        all.deallocate(s);
    }
}

TEST_F(huge, are_counted_exactly) {
    span& a = take(64 * mebibyte);
    span& b = take(100 * mebibyte);
    EXPECT_EQ(all.count(), 2u);
    EXPECT_EQ(all.bytes(), 164 * mebibyte);
    EXPECT_EQ(all.returned_bytes(), 0u);
    span* smaller = all.resize(b, 80 * mebibyte);
    EXPECT_EQ(all.bytes(), 144 * mebibyte);
    EXPECT_EQ(all.returned_bytes(), 20 * mebibyte);
    all.deallocate(a);
    all.deallocate(*smaller);
    EXPECT_EQ(all.count(), 0u);
    EXPECT_EQ(all.bytes(), 0u);
    EXPECT_EQ(all.returned_bytes(), 164 * mebibyte + 2 * os::page_size()) << "and the pages of their records";
}

TEST_F(huge, what_is_gone_is_not_found_and_its_address_space_is_free) {
    span& s = take(64 * mebibyte);
    const uintptr_t base = s.base;
    const uintptr_t mapping = s.mapping;
    const size_t bytes = s.mapping_bytes;
    all.deallocate(s);
    EXPECT_EQ(map->find(base), nullptr);
    EXPECT_EQ(os::claim(mapping, bytes), os::claimed::yes);
    os::release(mapping, bytes);
}

TEST_F(huge, growth_keeps_the_content_wherever_it_leads) {
    span* s = &take(8 * mebibyte);
    for (const size_t size : {9 * mebibyte, 32 * mebibyte, 200 * mebibyte, 1024 * mebibyte}) {
        byte(*s, 0) = 1;
        byte(*s, s->object_size - 1) = 2;
        const size_t before = s->object_size;
        const uintptr_t old_base = s->base;
        s = all.resize(*s, size);
        ASSERT_NE(s, nullptr);
        EXPECT_GE(s->object_size, size);
        EXPECT_EQ(s->base % slice_size, 0u);
        EXPECT_EQ(map->find(s->base), s);
        EXPECT_TRUE(s->base == old_base || map->find(old_base) == nullptr);
        EXPECT_EQ(byte(*s, 0), 1);
        EXPECT_EQ(byte(*s, before - 1), 2);
        EXPECT_EQ(byte(*s, before), 0);
        EXPECT_EQ(byte(*s, s->object_size - 1), 0);
    }
    EXPECT_EQ(all.bytes(), s->object_size);
    all.deallocate(*s);
}

TEST_F(huge, growth_moves_where_something_is_in_the_way) {
    span& s = take(8 * mebibyte);
    byte(s, 5) = 5;
    const uintptr_t old_base = s.base;
    const uintptr_t behind = s.mapping + s.mapping_bytes;
    const bool ours = os::claim(behind, os::page_size()) == os::claimed::yes; // or somebody is there already
    span* moved = all.resize(s, 16 * mebibyte);
    ASSERT_NE(moved, nullptr);
    EXPECT_NE(moved->base, old_base);
    EXPECT_EQ(byte(*moved, 5), 5);
    EXPECT_EQ(map->find(old_base), nullptr);
    all.deallocate(*moved);
    if (ours)
        os::release(behind, os::page_size());
}

TEST_F(huge, shrinking_stays_and_gives_the_end_back) {
    span& s = take(64 * mebibyte);
    byte(s, 0) = 1;
    const uintptr_t base = s.base;
    span* smaller = all.resize(s, 1 * mebibyte);
    ASSERT_EQ(smaller, &s);
    EXPECT_EQ(smaller->base, base);
    EXPECT_EQ(smaller->object_size, 1 * mebibyte);
    EXPECT_EQ(byte(*smaller, 0), 1);
    EXPECT_EQ(os::claim(base + 1 * mebibyte, 63 * mebibyte), os::claimed::yes);
    os::release(base + 1 * mebibyte, 63 * mebibyte);
    all.deallocate(*smaller);
}

TEST_F(huge, impossible_sizes_are_refused_and_change_nothing) {
    for (const size_t size : {max_request, max_request - 1, max_request - mebibyte, max_request / 2}) {
        EXPECT_EQ(all.allocate(size, slice_size).s, nullptr);
        EXPECT_EQ(all.allocate(size, 1024 * mebibyte).s, nullptr);
    }
    EXPECT_EQ(all.allocate(mebibyte, size_t{1} << 62).s, nullptr);
    span& s = take(8 * mebibyte);
    byte(s, 7) = 7;
    for (const size_t size : {max_request, max_request - mebibyte, max_request / 2})
        EXPECT_EQ(all.resize(s, size), nullptr);
    EXPECT_EQ(map->find(s.base), &s);
    EXPECT_EQ(byte(s, 7), 7);
    EXPECT_EQ(all.count(), 1u);
    EXPECT_EQ(all.bytes(), s.object_size);
    all.deallocate(s);
}

// As malloc of glibc does, but where everything is promised (vm.overcommit_memory=1).
TEST_F(huge, more_than_the_machine_can_ever_have_is_refused) {
    std::ifstream setting("/proc/sys/vm/overcommit_memory");
    int overcommit = 1;
    setting >> overcommit;
    if (overcommit == 1)
        GTEST_SKIP() << "this kernel promises everything";
    EXPECT_EQ(all.allocate(size_t{1} << 46, slice_size).s, nullptr);
    span& s = take(8 * mebibyte);
    EXPECT_EQ(all.resize(s, size_t{1} << 46), nullptr);
    EXPECT_EQ(map->find(s.base), &s);
    all.deallocate(s);
}

} // namespace
} // namespace lowtide::test
