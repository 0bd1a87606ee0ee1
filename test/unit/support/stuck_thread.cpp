#include "support/stuck_thread.h"

#include <csignal>
#include <gtest/gtest.h>
#include <unistd.h>

namespace lowtide::test {

namespace {

// Of the one stuck thread that there is at a time. Pipes, for they may be used in a signal handler.
uintptr_t the_trap = 0;
int arrived[2];
int let_go[2];
std::function<void()> what_the_handler_does;
struct sigaction handler_before;

void on_fault(int signal, siginfo_t* info, void*) {
    if (reinterpret_cast<uintptr_t>(info->si_addr) - the_trap >= os::page_size()) {
        sigaction(signal, &handler_before, nullptr); // an honest crash
        return;
    }
    const int error = errno;
    os::commit(the_trap, os::page_size());
    what_the_handler_does();
    char token = 0;
    EXPECT_EQ(write(arrived[1], &token, 1), 1);
    EXPECT_EQ(read(let_go[0], &token, 1), 1);
    errno = error;
}

} // namespace

stuck_thread::stuck_thread(std::function<void(uintptr_t)> action, std::function<void()> in_handler)
    : pages_(os::reserve(2 * os::page_size(), os::page_size())) {
    EXPECT_TRUE(os::commit(pages_, os::page_size()));
    the_trap = pages_ + os::page_size();
    EXPECT_EQ(pipe(arrived), 0);
    EXPECT_EQ(pipe(let_go), 0);
    what_the_handler_does = std::move(in_handler);
    struct sigaction ours {};
    ours.sa_sigaction = on_fault;
    ours.sa_flags = SA_SIGINFO;
    EXPECT_EQ(sigaction(SIGSEGV, &ours, &handler_before), 0);
    thread_ = std::thread([action = std::move(action)] { action(the_trap); });
    char token = 0;
    EXPECT_EQ(read(arrived[0], &token, 1), 1);
}

stuck_thread::~stuck_thread() {
    const char token = 0;
    EXPECT_EQ(write(let_go[1], &token, 1), 1);
    thread_.join();
    sigaction(SIGSEGV, &handler_before, nullptr);
    for (const int fd : {arrived[0], arrived[1], let_go[0], let_go[1]})
        close(fd);
    os::release(pages_, 2 * os::page_size());
}

} // namespace lowtide::test
