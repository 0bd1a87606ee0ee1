// A thread that stops in the middle of a function of the library, with the locks that it holds there: the
// function touches a trap, memory that can't be accessed, and the thread stays in the handler of the fault
// until it is let go.
//
// The handler can also do what a program's signal handlers may: call the library again.
#pragma once

#include "os/vm.h"

#include <functional>
#include <thread>

namespace lowtide::test {

class stuck_thread {
public:
    // The action runs in a thread of its own and gets the address of the trap: the page there can't be
    // accessed, the page before it can. Returns when the thread is stuck, after `in_handler` has run there.
    explicit stuck_thread(
        std::function<void(uintptr_t trap)> action, std::function<void()> in_handler = [] {});

    // Lets the thread go on: now the trap is memory like any other.
    ~stuck_thread();
    stuck_thread(const stuck_thread&) = delete;
    stuck_thread& operator=(const stuck_thread&) = delete;

private:
    uintptr_t pages_;
    std::thread thread_;
};

} // namespace lowtide::test
