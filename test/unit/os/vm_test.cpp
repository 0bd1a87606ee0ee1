// The functions that map memory, against the real kernel.
#include "os/vm.h"

#include "base/units.h"
#include "support/child.h"
#include "support/emulated.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <sys/mman.h>
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

// The kernel's mappings that begin in [base, base+bytes).
size_t mappings_in(uintptr_t base, size_t bytes) {
    std::ifstream maps("/proc/self/maps");
    size_t count = 0;
    for (std::string line; std::getline(maps, line);)
        count += std::stoull(line, nullptr, 16) - base < bytes ? 1 : 0;
    return count;
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

// 512 pages and a bit, of which the program has written these ones; then they are zeroed.
class zeroing : public testing::Test {
protected:
    zeroing() { os::no_more_huge_pages(base, pages * page); }
    ~zeroing() override { os::release(base, pages * page); }

    static constexpr size_t pages = 520;
    static constexpr size_t tail = 100;
    const uintptr_t base = os::map(pages * page, page);

    void write(size_t from, size_t to) const {
        for (size_t i = from; i < to; ++i)
            memset(&at(base + i * page), 0xa5, page);
    }
    void zero() const {
        at(base + (pages - 1) * page + tail - 1) = at(base + (pages - 1) * page + tail) = 1;
        os::zero(&at(base), (pages - 1) * page + tail);
        EXPECT_EQ(at(base + (pages - 1) * page + tail), 1) << "not a byte further";
    }
    // Before anything is read: reading gives a page.
    size_t resident(size_t from, size_t to) const {
        unsigned char in_core[pages];
        EXPECT_EQ(mincore(&at(base + from * page), (to - from) * page, in_core), 0);
        size_t result = 0;
        for (size_t i = 0; i < to - from; ++i)
            result += in_core[i] & 1;
        return result;
    }
    bool is_zero() const {
        for (uintptr_t i = base; i < base + (pages - 1) * page + tail; ++i)
            if (at(i) != 0)
                return false;
        return true;
    }
};

TEST_F(zeroing, memory_is_zero_however_much_of_it_was_resident) {
    for (const size_t every : {1, 2, 15, 16, 17, 100, 255, 256, 519})
        for (const size_t length : {1, 3, 17, 200}) {
            for (size_t i = 0; i < pages; i += every)
                write(i, std::min(i + length, pages));
            zero();
            ASSERT_TRUE(is_zero()) << every << ' ' << length;
            os::purge(base, pages * page);
        }
}

TEST_F(zeroing, memory_that_the_kernel_keeps_is_zero) {
    write(0, 2);
    write(100, 102);
    write(250, 256);
    if (mlock(&at(base), 256 * page) != 0)
        GTEST_SKIP() << "this much can't be locked here";
    write(300, 301);
    zero();
    EXPECT_TRUE(is_zero());
}

TEST_F(zeroing, takes_little_and_keeps_what_was_used_at_the_ends) {
    if (emulated)
        GTEST_SKIP() << "the emulator's memory is more than the program's";
    write(0, 40);
    write(100, 103);
    write(200, 201);
    write(254, 256);
    zero();
    EXPECT_EQ(resident(0, 39), 39u) << "written, not taken: no faults";
    EXPECT_EQ(resident(39, 255), 0u) << "an end that isn't used grows smaller";
    EXPECT_EQ(resident(255, 256), 1u);
    EXPECT_EQ(resident(256, 512), 0u) << "nothing was there, and nothing comes";
    EXPECT_TRUE(is_zero());
}

TEST_F(zeroing, an_end_that_is_not_used_shrinks_to_a_page) {
    if (emulated)
        GTEST_SKIP() << "the emulator's memory is more than the program's";
    write(0, 6);
    write(253, 256);
    for (int i = 0; i < 10; ++i)
        zero();
    EXPECT_EQ(resident(0, 256), 2u);
}

TEST_F(zeroing, memory_that_was_used_all_over_stays) {
    if (emulated)
        GTEST_SKIP() << "the emulator's memory is more than the program's";
    for (size_t i = 0; i < 256; i += 8)
        write(i, i + 1);
    write(256, 512);
    zero();
    EXPECT_EQ(resident(0, 512), 512u);
    EXPECT_TRUE(is_zero());
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

// Whether there is a huge page to be had is the machine's business; what it says must be so.
TEST(vm, a_huge_page_is_there_at_once_or_not_at_all) {
    if (emulated)
        GTEST_SKIP() << "the emulator says yes to every madvise";
    constexpr size_t bytes = 2 * mebibyte;
    const uintptr_t base = os::map(bytes, bytes);
    ASSERT_NE(base, 0u);
    const bool filled = os::fill_with_huge_page(base, bytes).done;
    std::vector<unsigned char> in_core(bytes / page);
    ASSERT_EQ(mincore(reinterpret_cast<void*>(base), bytes, in_core.data()), 0);
    const auto resident =
        std::count_if(in_core.begin(), in_core.end(), [](unsigned char c) { return (c & 1) != 0; });
    EXPECT_EQ(resident == static_cast<long>(bytes / page), filled);
    for (size_t i = 0; i < bytes; i += page)
        ASSERT_EQ(at(base + i), 0);
    ASSERT_TRUE(os::purge(base, bytes / 2)); // a part can go back
    ASSERT_EQ(mincore(reinterpret_cast<void*>(base), bytes / 2, in_core.data()), 0);
    EXPECT_EQ(in_core[0] & 1, 0);
    os::release(base, bytes);
    EXPECT_FALSE(os::fill_with_huge_page(base, bytes).done) << "nothing is there";
}

// Their number is limited for the whole process (vm.max_map_count).
TEST(vm, blocks_with_huge_pages_share_a_mapping) {
    if (emulated)
        GTEST_SKIP() << "the emulator says yes to every madvise";
    constexpr size_t bytes = 2 * mebibyte;
    constexpr size_t blocks = 8;
    // With a block on either side, so that none of it is joined with somebody else's mapping.
    const uintptr_t reserved = os::reserve((blocks + 2) * bytes, bytes);
    ASSERT_NE(reserved, 0u);
    const uintptr_t base = reserved + bytes;
    size_t filled = 0;
    for (; filled < blocks; ++filled) {
        ASSERT_TRUE(os::commit(base + filled * bytes, bytes));
        if (!os::fill_with_huge_page(base + filled * bytes, bytes).done)
            break;
    }
    if (filled == blocks) {
        EXPECT_EQ(mappings_in(base, blocks * bytes), 1u);
        for (size_t i = 0; i < blocks; ++i)
            os::no_more_huge_pages(base + i * bytes, bytes);
        EXPECT_EQ(mappings_in(base, blocks * bytes), 1u);
    }
    os::release(reserved, (blocks + 2) * bytes);
    if (filled != blocks)
        GTEST_SKIP() << "there is no huge page to be had";
}

TEST(vm, small_pages_become_a_huge_one_or_stay) {
    if (emulated)
        GTEST_SKIP() << "the emulator says yes to every madvise";
    constexpr size_t bytes = 2 * mebibyte;
    const uintptr_t base = os::map(bytes, bytes);
    ASSERT_NE(base, 0u);
    for (size_t i = 0; i < bytes; i += page)
        at(base + i) = static_cast<char>(i / page % 100);
    os::collapse(base, bytes); // whether there is one is the machine's business
    for (size_t i = 0; i < bytes; i += page)
        ASSERT_EQ(at(base + i), static_cast<char>(i / page % 100));
    os::release(base, bytes);
    EXPECT_FALSE(os::collapse(base, bytes)) << "nothing is there";
}

TEST(vm, pages_that_a_child_shares_are_not_counted_as_own) {
    constexpr size_t pages = 16;
    const uintptr_t base = os::map(pages * page, page);
    EXPECT_EQ(os::count_own_pages(base, pages * page), 0u) << "nothing is in memory";
    for (size_t i = 0; i < pages - 1; ++i)
        at(base + i * page) = 1;
    if (os::count_own_pages(base, pages * page) == 0)
        GTEST_SKIP() << "this system doesn't say";
    EXPECT_EQ(os::count_own_pages(base, pages * page), pages - 1);
    in_child([&] {
        EXPECT_EQ(os::count_own_pages(base, pages * page), 0u);
        at(base) = at(base + page) = 2;
        EXPECT_EQ(os::count_own_pages(base, pages * page), 2u);
    });
    os::release(base, pages * page);
}

} // namespace
} // namespace lowtide::test
