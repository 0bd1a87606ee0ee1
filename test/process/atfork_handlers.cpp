// Handlers of pthread_atfork that allocate, in all three places. Those of the library `first` were registered
// before any other constructor ran, so that its prepare handler comes after everybody else's, its parent and
// child handlers before: an allocator that only guards itself from its own handlers' turn is found out.
#include "early_use.h"
#include "harness.h"
#include "libraries/first.h"
#include "workload.h"

using namespace harness;
using namespace workload;

namespace {

std::atomic<unsigned> handlers_run{0};

void allocate_in_handler() {
    handlers_run.fetch_add(1);
    for (size_t size : {24, 500, 9000, 200000}) {
        release(acquire(size, size));
    }
}

// Carries a block from each handler to the next, as a library does that saves its state across fork.
void* carried = nullptr;

void prepare() {
    allocate_in_handler();
    carried = acquire(3000, 1);
}
void in_parent() {
    allocate_in_handler();
    release(carried);
}
void in_child() {
    allocate_in_handler();
    release(carried);
}

} // namespace

PROMISE(atfork_handlers_may_allocate_whenever_they_were_registered) {
    REQUIRE(pthread_atfork(prepare, in_parent, in_child) == 0);
    first_enable_atfork_handlers();
    busy_threads others(4);
    churn mine(1);
    constexpr unsigned kForks = 400;
    for (unsigned i = 0; i < kForks; ++i) {
        mine.run(20);
        pid_t child = fork_guarded();
        if (child == 0) {
            REQUIRE(handlers_run == 2 * (i + 1));
            REQUIRE(first_atfork_handlers_run() == 2 * (i + 1));
            others.drain_exchange();
            mine.run(100);
            _exit(0);
        }
        require_success(child);
    }
    REQUIRE(first_atfork_handlers_run() == 2 * kForks);
}
