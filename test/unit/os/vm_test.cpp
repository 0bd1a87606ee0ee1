// The functions that map memory, against the real kernel.
#include "os/vm.h"

#include "base/units.h"
#include "support/child.h"
#include "support/emulated.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

namespace lowtide::test {
namespace {

const size_t page = os::page_size();

unsigned char& at(uintptr_t address) {
    return *reinterpret_cast<unsigned char*>(address);
}

// Asks the kernel, which answers EFAULT where we would crash.
bool readable(uintptr_t address) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const bool yes = write(ends[1], reinterpret_cast<const void*>(address), 1) == 1;
    close(ends[0]);
    close(ends[1]);
    return yes;
}

size_t address_space() {
    size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    return pages * page;
}

TEST(vm, reserved_space_is_aligned_and_has_no_memory) {
    for (size_t alignment = page; alignment <= 1024 * mebibyte; alignment *= 4) {
        const uintptr_t base = os::reserve(3 * page, alignment);
        ASSERT_NE(base, 0u) << alignment;
        EXPECT_EQ(base % alignment, 0u);
        EXPECT_FALSE(readable(base));
        EXPECT_FALSE(readable(base + 3 * page - 1));
        os::release(base, 3 * page);
    }
}

TEST(vm, alignment_costs_no_address_space_that_stays) {
    const size_t before = address_space();
    ASSERT_NE(before, 0u);
    for (int i = 0; i < 20; ++i) {
        const uintptr_t base = os::reserve(page, 1024 * mebibyte);
        ASSERT_NE(base, 0u);
        os::release(base, page);
    }
    EXPECT_LT(address_space(), before + 1024 * mebibyte);
}

TEST(vm, what_lies_behind_a_header_can_be_what_is_aligned) {
    for (size_t alignment = slice_size; alignment <= 1024 * mebibyte; alignment *= 4) {
        const uintptr_t base = os::reserve_behind(page, 8 * page, alignment);
        ASSERT_NE(base, 0u);
        EXPECT_EQ((base + page) % alignment, 0u);
        ASSERT_TRUE(os::commit(base, 8 * page)) << "all of it is ours";
        at(base) = at(base + 8 * page - 1) = 1;
        os::release(base, 8 * page);
    }
}

TEST(vm, committed_memory_is_zero_and_writable) {
    const uintptr_t base = os::reserve(4 * page, page);
    ASSERT_TRUE(os::commit(base + page, 2 * page));
    EXPECT_FALSE(readable(base));
    EXPECT_FALSE(readable(base + 3 * page));
    for (size_t i = 0; i < 2 * page; ++i)
        ASSERT_EQ(at(base + page + i), 0);
    at(base + page) = at(base + 3 * page - 1) = 1;
    os::release(base, 4 * page);
    EXPECT_FALSE(readable(base + page));
}

TEST(vm, purged_memory_is_zero_and_still_there) {
    const uintptr_t base = os::map(4 * page, page);
    for (size_t i = 0; i < 4; ++i)
        at(base + i * page) = 1;
    EXPECT_TRUE(os::purge(base + page, 2 * page));
    EXPECT_EQ(at(base), 1);
    EXPECT_EQ(at(base + page), 0);
    EXPECT_EQ(at(base + 2 * page), 0);
    EXPECT_EQ(at(base + 3 * page), 1);
    at(base + page) = 1;
    os::release(base, 4 * page);
}

TEST(vm, a_purge_that_the_kernel_refuses_says_so) {
    if (emulated)
        GTEST_SKIP() << "the emulator says yes to every madvise";
    const uintptr_t base = os::map(page, page);
    os::release(base, page);
    EXPECT_FALSE(os::purge(base, page));
}

TEST(vm, decommitted_space_has_no_memory_and_can_have_it_again) {
    const uintptr_t base = os::map(2 * page, page);
    at(base) = at(base + page) = 1;
    os::decommit(base, page);
    EXPECT_FALSE(readable(base));
    EXPECT_EQ(at(base + page), 1);
    EXPECT_EQ(os::claim(base, page), os::claimed::taken) << "the space is still ours";
    ASSERT_TRUE(os::commit(base, page));
    EXPECT_EQ(at(base), 0);
    os::release(base, 2 * page);
}

TEST(vm, a_place_can_be_claimed_while_nobody_has_it) {
    const uintptr_t base = os::map(3 * page, page);
    at(base) = at(base + 2 * page) = 1;
    EXPECT_EQ(os::claim(base, page), os::claimed::taken);
    EXPECT_EQ(at(base), 1) << "what was there is unharmed";
    os::release(base + page, page);
    EXPECT_EQ(os::claim(base, 3 * page), os::claimed::taken) << "a part of it is taken";
    EXPECT_EQ(at(base + 2 * page), 1);
    EXPECT_EQ(os::claim(base + page, page), os::claimed::yes);
    EXPECT_EQ(at(base + page), 0);
    at(base + page) = 1;
    os::release(base, 3 * page);
}

TEST(vm, mapped_memory_is_aligned_zero_and_writable) {
    for (size_t alignment = page; alignment <= 1024 * mebibyte; alignment *= 4) {
        const uintptr_t base = os::map(2 * page, alignment);
        ASSERT_NE(base, 0u);
        EXPECT_EQ(base % alignment, 0u);
        EXPECT_EQ(at(base) + at(base + 2 * page - 1), 0);
        at(base) = at(base + 2 * page - 1) = 1;
        os::release(base, 2 * page);
    }
}

TEST(vm, a_mapping_grows_and_shrinks_in_place_as_far_as_there_is_room) {
    const uintptr_t base = os::map(4 * page, page);
    at(base) = 7;
    ASSERT_TRUE(os::resize_in_place(base, 4 * page, 2 * page));
    EXPECT_FALSE(readable(base + 2 * page));
    ASSERT_TRUE(os::resize_in_place(base, 2 * page, 3 * page));
    EXPECT_EQ(at(base), 7);
    EXPECT_EQ(at(base + 2 * page), 0);
    ASSERT_EQ(os::claim(base + 3 * page, page), os::claimed::yes);
    EXPECT_FALSE(os::resize_in_place(base, 3 * page, 4 * page));
    EXPECT_EQ(at(base), 7);
    os::release(base, 4 * page);
}

TEST(vm, moved_pages_keep_their_content_and_leave_their_place) {
    const uintptr_t from = os::map(2 * page, page);
    at(from) = 1;
    at(from + page) = 2;
    const uintptr_t to = os::reserve(4 * page, slice_size);
    ASSERT_TRUE(os::move(from, 2 * page, to, 4 * page));
    EXPECT_FALSE(readable(from));
    EXPECT_EQ(at(to), 1);
    EXPECT_EQ(at(to + page), 2);
    EXPECT_EQ(at(to + 3 * page), 0);
    os::release(to, 4 * page);
}

TEST(vm, a_move_that_fails_leaves_the_memory_and_gives_the_target_back) {
    const uintptr_t from = os::map(2 * page, page);
    at(from) = 1;
    os::release(from + page, page); // no mapping of that length any more
    const uintptr_t to = os::reserve(4 * page, page);
    EXPECT_FALSE(os::move(from, 2 * page, to, 4 * page));
    EXPECT_EQ(at(from), 1);
    EXPECT_EQ(os::claim(to, 4 * page), os::claimed::yes);
    os::release(to, 4 * page);
    os::release(from, page);
}

TEST(vm, impossible_requests_fail_and_leave_errno_alone) {
    constexpr size_t too_much = size_t{1} << 62;
    errno = 77;
    EXPECT_EQ(os::reserve(too_much, page), 0u);
    EXPECT_EQ(os::reserve(too_much, size_t{1} << 62), 0u);
    EXPECT_EQ(os::reserve_behind(page, too_much, block_size), 0u);
    EXPECT_EQ(os::map(too_much, page), 0u);
    EXPECT_EQ(os::map(align_down(SIZE_MAX, page), block_size), 0u);
    EXPECT_FALSE(os::commit(page, page));
    EXPECT_TRUE(emulated || !os::purge(page, page));
    EXPECT_FALSE(os::resize_in_place(page, page, 2 * page));
    EXPECT_EQ(errno, 77);
}

TEST(vm, memory_can_be_wiped_in_a_child) {
    if (emulated)
        GTEST_SKIP() << "the emulator says yes to every madvise";
    const uintptr_t base = os::map(2 * page, page);
    ASSERT_TRUE(os::wipe_on_fork(base, page));
    at(base) = at(base + page) = 1;
    in_child([&] {
        EXPECT_EQ(at(base), 0);
        EXPECT_EQ(at(base + page), 1);
    });
    EXPECT_EQ(at(base), 1);
    os::release(base, 2 * page);
}

} // namespace
} // namespace lowtide::test
