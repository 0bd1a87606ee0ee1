#include "support/child.h"

#include "os/generation.h"

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

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LOWTIDE_TEST_LIBC_FORK_ONLY
#endif
#endif

} // namespace

const std::vector<forking>& ways_to_fork() {
#if defined(LOWTIDE_TEST_LIBC_FORK_ONLY) || defined(LOWTIDE_TEST_EMULATED)
    static const std::vector ways = {forking::by_libc};
#else
    static const std::vector ways = {forking::by_libc, forking::raw};
#endif
    return ways;
}

void in_child(const std::function<void()>& body, forking how) {
    fflush(nullptr);
    const pid_t child =
        how == forking::by_libc ? fork() : static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    ASSERT_GE(child, 0);
    if (child == 0) {
        alarm(patience_s);
        if (how == forking::by_libc)
            os::after_fork_in_child(); // as the library's own handler of fork does
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
