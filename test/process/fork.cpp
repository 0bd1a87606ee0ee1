// Fork: whatever the other threads of the parent were doing inside malloc, whoever forks and from wherever,
// the child can allocate, free what it inherited, and start threads; and the parent goes on.
#include "harness.h"
#include "workload.h"

#include <cerrno>
#include <ctime>
#include <sys/syscall.h>

using namespace harness;
using namespace workload;

namespace {

// What a child does that shall be quick: a few blocks of every kind but the huge.
void use_some_sizes() {
    constexpr size_t kSizes[] = {16, 48, 200, 1000, 5000, 30000, 100000, 300000, 3u << 20, 70u << 20};
    void* blocks[std::size(kSizes)];
    for (size_t i = 0; i < std::size(kSizes); ++i) {
        blocks[i] = std::malloc(kSizes[i]);
        REQUIRE(blocks[i] != nullptr);
        mark(blocks[i], std::min<size_t>(kSizes[i], 5000), i);
    }
    for (void* block : blocks) {
        release(block);
    }
}

void* allocate_in_a_thread(void*) {
    churn own(99);
    own.run(200);
    return nullptr;
}

void start_threads_and_allocate() {
    pthread_t threads[3];
    for (pthread_t& thread : threads) {
        thread = start_thread(allocate_in_a_thread, nullptr);
    }
    allocate_in_a_thread(nullptr);
    for (pthread_t thread : threads) {
        join_thread(thread);
    }
}

// A child made without the C library, hence without its atfork handlers.
pid_t raw_fork() {
    auto child = static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    REQUIRE(child >= 0);
    return child;
}

void* fork_many_times(void* argument) {
    churn mine(reinterpret_cast<uintptr_t>(argument));
    for (int i = 0; i < 150; ++i) {
        mine.run(20);
        pid_t child = fork_guarded();
        if (child == 0) {
            mine.clear();
            use_some_sizes();
            _exit(0);
        }
        require_success(child);
    }
    return nullptr;
}

} // namespace

PROMISE(fork_child_can_allocate_while_parent_threads_allocate) {
    busy_threads others(4);
    churn mine(1);
    for (int i = 0; i < 500; ++i) {
        mine.run(20);
        pid_t child = fork_guarded();
        if (child == 0) {
            use_some_sizes();
            mine.run(100);
            _exit(0);
        }
        require_success(child);
    }
}

PROMISE(fork_child_can_free_what_parent_threads_allocated) {
    busy_threads others(4);
    churn mine(1);
    for (int i = 0; i < 200; ++i) {
        mine.run(20);
        others.wait_for_steps(10);
        pid_t child = fork_guarded();
        if (child == 0) {
            others.drain_exchange();
            mine.clear();
            churn own(2);
            own.run(500);
            _exit(0);
        }
        require_success(child);
    }
}

PROMISE(fork_child_can_start_threads_that_allocate) {
    busy_threads others(4);
    for (int i = 0; i < 150; ++i) {
        others.wait_for_steps(10);
        pid_t child = fork_guarded();
        if (child == 0) {
            start_threads_and_allocate();
            use_some_sizes();
            _exit(0);
        }
        require_success(child);
    }
}

PROMISE(fork_child_can_do_all_that_the_parent_could) {
    busy_threads others(3);
    for (int i = 0; i < 4; ++i) {
        others.wait_for_steps(1000);
        pid_t child = fork_guarded();
        if (child == 0) {
            others.drain_exchange();
            use_every_size();
            busy_threads own(3);
            own.wait_for_steps(1000);
            pid_t grandchild = fork_guarded();
            if (grandchild == 0) {
                use_every_size();
                start_threads_and_allocate();
                exit(0); // with all of exit's work
            }
            require_success(grandchild);
            _exit(0);
        }
        require_success(child);
    }
}

PROMISE(fork_may_be_nested_deeply) {
    busy_threads others(2);
    churn mine(1);
    mine.run(1000);
    pid_t parent_of_chain = fork_guarded();
    if (parent_of_chain == 0) {
        for (int depth = 0; depth < 30; ++depth) {
            mine.run(100);
            start_threads_and_allocate();
            pid_t child = fork_guarded();
            if (child != 0) {
                require_success(child);
                _exit(0);
            }
        }
        _exit(0);
    }
    require_success(parent_of_chain);
}

PROMISE(several_threads_may_fork_at_once) {
    busy_threads others(2);
    pthread_t forkers[4];
    for (uintptr_t i = 0; i < std::size(forkers); ++i) {
        forkers[i] = start_thread(fork_many_times, reinterpret_cast<void*>(i + 1));
    }
    for (pthread_t forker : forkers) {
        join_thread(forker);
    }
}

PROMISE(a_child_made_past_the_atfork_handlers_can_allocate) {
    churn mine(1);
    for (int i = 0; i < 500; ++i) {
        mine.run(50);
        pid_t child = raw_fork();
        if (child == 0) {
            guard_child();
            mine.clear();
            use_some_sizes();
            _exit(0);
        }
        require_success(child);
        mine.run(50);
    }
}

PROMISE(a_child_made_past_the_atfork_handlers_can_allocate_while_parent_threads_allocate) {
    busy_threads others(4);
    churn mine(1);
    for (int i = 0; i < 500; ++i) {
        mine.run(50);
        pid_t child = raw_fork();
        if (child == 0) {
            guard_child();
            mine.clear();
            use_some_sizes();
            _exit(0);
        }
        require_success(child);
    }
}

PROMISE(a_child_of_underscore_fork_can_allocate_while_parent_threads_allocate) {
    busy_threads others(4);
    churn mine(1);
    for (int i = 0; i < 500; ++i) {
        mine.run(50);
        pid_t child = _Fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            guard_child();
            mine.clear();
            use_some_sizes();
            _exit(0);
        }
        require_success(child);
    }
}
