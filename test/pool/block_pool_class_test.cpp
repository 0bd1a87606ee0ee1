// lowtide::block_pool and lowtide::block.
#include "lowtide/block_pool.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <gtest/gtest.h>
#include <new>
#include <string>
#include <thread>
#include <type_traits>
#include <unistd.h>
#include <utility>
#include <vector>

namespace lowtide::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t KiB = 1024;

static_assert(!std::is_copy_constructible_v<block> && !std::is_copy_assignable_v<block>);
static_assert(std::is_nothrow_move_constructible_v<block> && std::is_nothrow_move_assignable_v<block>);
static_assert(!std::is_copy_constructible_v<block_pool> && !std::is_copy_assignable_v<block_pool>);
static_assert(std::is_nothrow_move_constructible_v<block_pool> &&
              std::is_nothrow_move_assignable_v<block_pool>);
static_assert(
    noexcept(std::declval<block_pool&>().take()) && noexcept(std::declval<block_pool&>().try_take()));
static_assert(sizeof(block) == 3 * sizeof(void*));

TEST(block_class, gives_itself_back) {
    block_pool pool({.block_size = 64 * KiB});
    {
        block b = pool.take("test");
        ASSERT_TRUE(b);
        EXPECT_EQ(b.size(), 64 * KiB);
        EXPECT_EQ(b.bytes().size(), 64 * KiB);
        std::memset(b.data(), 'x', b.size());
        EXPECT_EQ(pool.stats().taken, 1U);
    }
    EXPECT_EQ(pool.stats().taken, 0U);
    block b = pool.take();
    b.reset();
    EXPECT_EQ(pool.stats().taken, 0U);
    EXPECT_FALSE(b);
    EXPECT_EQ(b.data(), nullptr);
    EXPECT_EQ(b.size(), 0U);
    b.reset();
}

TEST(block_class, moves_and_gives_back_what_it_had) {
    block_pool pool({.block_size = 64 * KiB});
    block one = pool.take();
    block two = pool.take();
    void* of_one = one.data();
    two = std::move(one);
    EXPECT_EQ(pool.stats().taken, 1U);
    EXPECT_EQ(two.data(), of_one);
    EXPECT_FALSE(one);
    block three(std::move(two));
    EXPECT_EQ(three.data(), of_one);
    block& itself = three;
    three = std::move(itself);
    EXPECT_EQ(three.data(), of_one);
    block none;
    using std::swap;
    swap(three, none);
    EXPECT_FALSE(three);
    EXPECT_EQ(none.data(), of_one);
    EXPECT_EQ(pool.stats().taken, 1U);
    std::vector<block> many;
    for (int i = 0; i < 10; ++i)
        many.push_back(pool.take());
    many.erase(many.begin());
    EXPECT_EQ(pool.stats().taken, 10U);
}

TEST(block_class, can_be_released_and_owned_again) {
    block_pool pool({.block_size = 64 * KiB});
    void* raw = pool.take().release();
    EXPECT_EQ(pool.stats().taken, 1U);
    {
        const block again = pool.own(raw);
        EXPECT_EQ(again.data(), raw);
        EXPECT_EQ(again.size(), 64 * KiB);
    }
    EXPECT_EQ(pool.stats().taken, 0U);
    pool.give(pool.take_raw("raw"));
    EXPECT_EQ(pool.stats().taken, 0U);
    EXPECT_FALSE(pool.own(nullptr));
    EXPECT_EQ(block().release(), nullptr);
    pool.give(nullptr);
}

TEST(block_pool_class, rounds_up_to_whole_pages) {
    block_pool pool({.name = "odd", .block_size = 5000});
    EXPECT_EQ(pool.block_size() % 4096, 0U);
    EXPECT_GE(pool.block_size(), 5000U);
    EXPECT_EQ(pool.take().size(), pool.block_size());
}

TEST(block_pool_class, options_that_cannot_be_are_bad_alloc) {
    EXPECT_THROW(block_pool({}), std::bad_alloc);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_THROW(block_pool({.block_size = 1}), std::bad_alloc);
    EXPECT_THROW(block_pool({.block_size = std::size_t{1} << 40}), std::bad_alloc);
}

TEST(block_pool_class, a_take_without_a_block_is_empty_and_errno_says_why) {
    block_pool pool({.block_size = 64 * KiB, .max_blocks = 1});
    const block only = pool.take();
    ASSERT_TRUE(only);
    errno = 0;
    EXPECT_FALSE(pool.take());
    EXPECT_EQ(errno, EDQUOT);
    EXPECT_EQ(pool.take_raw(), nullptr);
    EXPECT_FALSE(pool.try_take());
    EXPECT_EQ(pool.try_take_raw(), nullptr);
    errno = 0;
    EXPECT_FALSE(pool.take_within(1ms));
    EXPECT_EQ(errno, ETIMEDOUT);
    EXPECT_EQ(pool.take_within_raw(0ms), nullptr);
    EXPECT_GE(pool.stats().refused, 4U);
}

TEST(block_pool_class, try_take_takes_what_is_there_and_makes_nothing) {
    block_pool pool({.block_size = 64 * KiB});
    errno = 0;
    EXPECT_FALSE(pool.try_take());
    EXPECT_EQ(errno, EAGAIN);
    void* given = pool.take_raw();
    pool.give(given);
    EXPECT_TRUE(pool.try_take());
    block_pool populated({.block_size = 64 * KiB, .prepopulate = 2});
    EXPECT_TRUE(populated.try_take());
}

TEST(block_pool_class, take_within_gets_a_block_that_another_thread_gives_back) {
    block_pool pool({.block_size = 64 * KiB, .max_blocks = 1});
    block only = pool.take();
    std::atomic<bool> waiting = false;
    std::thread waiter([&] {
        waiting = true;
        EXPECT_TRUE(pool.take_within(-1ms)); // for ever
        EXPECT_TRUE(pool.take_within(std::chrono::hours(24 * 365)));
    });
    while (!waiting)
        std::this_thread::yield();
    only.reset();
    waiter.join();
    EXPECT_EQ(pool.stats().taken, 0U);
}

TEST(block_pool_class, trims_and_prints) {
    block_pool pool({.name = "printed", .block_size = 64 * KiB});
    std::vector<block> all;
    for (int i = 0; i < 10; ++i)
        all.push_back(pool.take("the reader"));
    std::FILE* file = std::tmpfile();
    EXPECT_TRUE(pool.print(fileno(file)));
    std::string text(1000, '\0');
    text.resize(
        static_cast<std::size_t>(std::max<ssize_t>(0, pread(fileno(file), text.data(), text.size(), 0))));
    std::fclose(file);
    EXPECT_NE(text.find("printed"), std::string::npos) << text;
    EXPECT_NE(text.find("the reader"), std::string::npos) << text;
    EXPECT_FALSE(pool.print(-1));
    EXPECT_EQ(errno, EIO);
    all.clear();
    EXPECT_GT(pool.trim(), 0U);
    EXPECT_EQ(pool.stats().cached + pool.stats().ready, 0U);
    EXPECT_EQ(pool.trim(), 0U);
}

TEST(block_pool_class, moves_under_its_blocks) {
    block_pool first({.name = "first", .block_size = 64 * KiB});
    block b = first.take();
    block_pool second(std::move(first));
    EXPECT_FALSE(first);
    EXPECT_EQ(second.stats().taken, 1U);
    EXPECT_EQ(second.block_size(), 64 * KiB);
    b.reset();
    EXPECT_EQ(second.stats().taken, 0U);
    first = block_pool({.name = "again", .block_size = 128 * KiB});
    EXPECT_EQ(first.take().size(), 128 * KiB);
    first = std::move(second);
    EXPECT_EQ(first.take().size(), 64 * KiB);
    EXPECT_TRUE(first.destroy());
    EXPECT_FALSE(first);
    EXPECT_TRUE(first.destroy());
}

TEST(block_pool_class, destroy_says_whose_blocks_are_taken_and_does_nothing) {
    block_pool pool({.name = "busy", .block_size = 64 * KiB});
    block b = pool.take("the forgetful");
    testing::internal::CaptureStderr();
    EXPECT_FALSE(pool.destroy());
    EXPECT_EQ(errno, EBUSY);
    EXPECT_NE(testing::internal::GetCapturedStderr().find("the forgetful"), std::string::npos);
    EXPECT_TRUE(pool);
    EXPECT_TRUE(pool.take());
    b.reset();
    EXPECT_TRUE(pool.destroy());
}

TEST(block_pool_class, its_destructor_leaves_a_pool_whose_blocks_are_taken) {
    block b;
    testing::internal::CaptureStderr();
    {
        block_pool pool({.name = "busy", .block_size = 64 * KiB});
        b = pool.take("the forgetful");
    }
    EXPECT_NE(testing::internal::GetCapturedStderr().find("the forgetful"), std::string::npos);
    std::memset(b.data(), 'x', b.size());
    b.reset();
}

} // namespace
} // namespace lowtide::test
