// The number of the process: the same in all of its threads, another one in every child.
#include "os/generation.h"

#include "support/child.h"

#include <gtest/gtest.h>
#include <thread>

namespace lowtide::test {
namespace {

TEST(generation, is_one_number_in_a_process) {
    const uint32_t here = os::generation();
    EXPECT_NE(here, 0u);
    EXPECT_LT(here, 1u << os::generation_bits);
    EXPECT_EQ(os::generation(), here);
    uint32_t there = 0;
    std::thread([&] { there = os::generation(); }).join();
    EXPECT_EQ(there, here);
}

TEST(generation, changes_in_a_child_and_not_in_the_parent) {
    for (const forking how : ways_to_fork()) {
        const uint32_t before = os::generation();
        in_child(
            [&] {
                const uint32_t after = os::generation();
                EXPECT_NE(after, before);
                EXPECT_NE(after, 0u);
                EXPECT_EQ(os::generation(), after);
            },
            how);
        EXPECT_EQ(os::generation(), before);
    }
}

TEST(generation, is_another_one_in_each_of_a_line_of_descendants) {
    const uint32_t first = os::generation();
    in_child([&] {
        // Nobody asks in the second process: the third must not take its number for the first's.
        in_child([&] {
            const uint32_t third = os::generation();
            EXPECT_NE(third, first);
            in_child([&] {
                EXPECT_NE(os::generation(), third);
                EXPECT_NE(os::generation(), first);
            });
        });
    });
}

TEST(generation, the_handler_of_fork_changes_nothing_once_the_kernel_has_spoken) {
    const uint32_t before = os::generation();
    for (const forking how : ways_to_fork())
        in_child(
            [&] {
                const uint32_t after = os::generation();
                EXPECT_NE(after, before);
                os::after_fork_in_child();
                EXPECT_EQ(os::generation(), after);
            },
            how);
}

TEST(generation, the_thread_that_forked_is_known_in_the_child) {
    static_cast<void>(
        os::generation()); // a process that never took a lock leaves no ghosts to tell from the living
    const uintptr_t forker = os::this_thread();
    uintptr_t bystander = 0;
    std::thread([&] { bystander = os::this_thread(); }).join();
    ASSERT_NE(bystander, forker);
    in_child([&] {
        static_cast<void>(os::generation());
        EXPECT_EQ(os::this_thread(), forker);
        EXPECT_TRUE(os::survived_fork(forker));
        EXPECT_FALSE(os::survived_fork(bystander));
    });
}

} // namespace
} // namespace lowtide::test
