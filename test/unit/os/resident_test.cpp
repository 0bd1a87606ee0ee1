#include "os/resident.h"

#include "os/vm.h"

#include <cstring>
#include <gtest/gtest.h>
#include <sys/mman.h>

namespace lowtide {
namespace {

class resident : public testing::Test {
protected:
    resident() : base_(os::map(bytes, block_size)) {}
    ~resident() override { os::release(base_, bytes); }

    void touch(size_t page) const { *reinterpret_cast<volatile char*>(base_ + page * os::page_size()) = 1; }

    static constexpr size_t bytes = 3 * block_size;
    uintptr_t base_;
    os::resident_pages pages_;
};

TEST_F(resident, are_the_pages_that_were_written) {
    const size_t in_all = block_size / os::page_size();
    for (const size_t page : {size_t{0}, size_t{1}, size_t{7}, in_all / 2, in_all - 1})
        touch(page);
    os::page_bits bits;
    ASSERT_TRUE(pages_.find(base_, block_size, bits));
    for (size_t page = 0; page < in_all; ++page)
        EXPECT_EQ(bits.has(page),
                  page == 0 || page == 1 || page == 7 || page == in_all / 2 || page == in_all - 1)
            << page;
    EXPECT_EQ(bits.count(0, in_all), 5u);
    EXPECT_EQ(bits.count(1, 7), 2u);
    EXPECT_EQ(bits.count(in_all - 1, 1), 1u);
}

// More stretches than are asked for at once.
TEST_F(resident, are_found_where_each_second_one_is_there) {
    const size_t in_all = block_size / os::page_size();
    for (size_t page = 0; page < in_all; page += 2)
        touch(page);
    os::page_bits bits;
    ASSERT_TRUE(pages_.find(base_, block_size, bits));
    EXPECT_EQ(bits.count(0, in_all), in_all / 2);
    EXPECT_EQ(pages_.bytes_in(base_, bytes), block_size / 2);
}

TEST_F(resident, is_not_what_is_not_mapped) {
    for (size_t page = 0; page < 8; ++page)
        touch(page);
    ASSERT_EQ(munmap(reinterpret_cast<void*>(base_ + 2 * os::page_size()), os::page_size()), 0);
    os::page_bits bits;
    ASSERT_TRUE(pages_.find(base_, 8 * os::page_size(), bits));
    EXPECT_EQ(bits.count(0, 8), 7u);
    EXPECT_FALSE(bits.has(2));
}

TEST_F(resident, bits_are_counted_across_words) {
    os::page_bits bits;
    bits.set(60, 10);
    EXPECT_EQ(bits.count(0, 64), 4u);
    EXPECT_EQ(bits.count(64, 64), 6u);
    EXPECT_EQ(bits.count(61, 5), 5u);
    EXPECT_EQ(bits.count(0, 0), 0u);
    bits.set(500, 100); // no more than there are
    EXPECT_EQ(bits.count(0, 512), 22u);
}

TEST_F(resident, memory_of_the_process_is_more_than_what_was_touched) {
    for (size_t page = 0; page < bytes / os::page_size(); ++page)
        touch(page);
    const os::resident_memory now = os::resident_memory_of_process(pages_);
    EXPECT_GT(now.anonymous, bytes);
    EXPECT_GT(now.all, now.anonymous);
    EXPECT_GT(now.stack, 0u);
    EXPECT_LT(now.stack, now.anonymous);
}

TEST_F(resident, memory_is_copied_only_if_it_is_there) {
    touch(0);
    char to[2] = {};
    EXPECT_TRUE(os::copy_if_there(to, base_, 2));
    EXPECT_EQ(to[0], 1);
    const uintptr_t gone = os::map(os::page_size(), os::page_size());
    os::release(gone, os::page_size());
    EXPECT_FALSE(os::copy_if_there(to, gone, 2));
}

} // namespace
} // namespace lowtide
