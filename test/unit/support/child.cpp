#include "support/child.h"

#include <csignal>
#include <cstdio>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// ThreadSanitizer's default is to end a child that makes threads, if its parent had some.
extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() {
    return "die_after_fork=0";
}

namespace lowtide::test {

namespace {

constexpr unsigned patience_s = 120; // a child that hangs ends by SIGALRM

// ThreadSanitizer's own locks don't survive a child that it isn't told of.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LOWTIDE_TEST_THREAD_SANITIZER
#endif
#endif

pid_t make_child(forking how) {
#ifdef LOWTIDE_TEST_THREAD_SANITIZER
    how = forking::by_libc;
#endif
    return how == forking::by_libc ? fork() : static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

} // namespace

void in_child(const std::function<void()>& body, forking how) {
    fflush(nullptr);
    const pid_t child = make_child(how);
    ASSERT_GE(child, 0);
    if (child == 0) {
        alarm(patience_s);
        body();
        fflush(nullptr);
        _exit(testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status)) << "the child ended by signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0) << "the child's expectations failed";
}

} // namespace lowtide::test
