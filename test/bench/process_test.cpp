// Processes that the bench starts: their output, their end, and that none of them is left behind.
#include "runner/errors.h"
#include "runner/process.h"
#include "support.h"

#include <csignal>
#include <gtest/gtest.h>

namespace lowtide::bench {
namespace {

using test::ends;
using test::message_of;

constexpr seconds long_enough{60};

launch shell(const std::string& script) {
    return {.words = {"/bin/sh", "-c", script}};
}

TEST(process, output_and_errors_are_caught_apart) {
    const ended end = supervisor().run(shell("echo result; echo trouble >&2; exit 3"), long_enough);
    EXPECT_EQ(end.output, "result\n");
    EXPECT_EQ(end.errors, "trouble\n");
    EXPECT_EQ(end.reason(), "exit code 3: trouble");
}

TEST(process, a_fatal_signal_is_the_reason) {
    EXPECT_EQ(supervisor().run(shell("kill -SEGV $$"), long_enough).reason(),
              "killed by signal 11 (Segmentation fault)");
}

TEST(process, our_own_preloads_are_not_handed_on) {
    setenv("LD_PRELOAD", "", 1);
    EXPECT_EQ(supervisor().run(shell("echo ${LD_PRELOAD-unset}"), long_enough).output, "unset\n");
    unsetenv("LD_PRELOAD");
}

TEST(process, a_program_that_is_not_there_is_said_to_be_so) {
    EXPECT_EQ(message_of([] { supervisor().run({.words = {"/nowhere/at/all"}}, long_enough); }),
              "cannot start /nowhere/at/all: No such file or directory");
}

TEST(process, what_takes_too_long_is_killed) {
    const supervisor processes;
    child running = processes.start({.words = {"/bin/sleep", "1000"}});
    const pid_t pid = running.pid();
    EXPECT_EQ(message_of([&] { processes.wait(running, seconds(0.01)); }), "not finished after 0 s");
    EXPECT_TRUE(ends(pid));
}

TEST(process, what_it_left_in_the_background_is_killed) {
    const ended end = supervisor().run(shell("sleep 1000 & echo $!"), long_enough);
    EXPECT_TRUE(ends(std::stoi(end.output)));
}

TEST(process, a_child_does_not_outlive_its_object) {
    const supervisor processes;
    pid_t pid;
    {
        const child running = processes.start({.words = {"/bin/sleep", "1000"}});
        pid = running.pid();
    }
    EXPECT_TRUE(ends(pid));
}

TEST(process, an_interrupt_ends_the_wait_and_later_ones_do_not_end_us) {
    const supervisor processes;
    child running = processes.start({.words = {"/bin/sleep", "1000"}});
    raise(SIGINT);
    EXPECT_EQ(message_of([&] { processes.wait(running, long_enough); }), "interrupted");
}

TEST(process, signals_that_we_hold_back_reach_the_child) {
    const supervisor processes;
    child running = processes.start({.words = {"/bin/sleep", "1000"}});
    running.signal(SIGTERM);
    EXPECT_EQ(processes.wait(running, long_enough).reason(), "killed by signal 15 (Terminated)");
}

} // namespace
} // namespace lowtide::bench
