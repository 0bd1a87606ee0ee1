// Fork from a signal handler: the handler interrupted malloc at any instruction, perhaps with a lock of the
// library's held by the very thread that now forks. The child must be able to allocate, and the parent to go
// on.
#include "harness.h"
#include "storm.h"
#include "workload.h"

#include <cerrno>

using namespace harness;
using namespace workload;

namespace {

constexpr int kForks = 400;

std::atomic<int> forks{0};

void allocate_and_exit() {
    constexpr size_t kSizes[] = {16, 64, 64, 300, 2000, 20000, 100000, 300000, 3u << 20};
    void* blocks[std::size(kSizes)];
    for (size_t i = 0; i < std::size(kSizes); ++i) {
        blocks[i] = acquire(kSizes[i], i);
    }
    for (void* block : blocks) {
        release(block);
    }
    _exit(0);
}

void fork_in_handler(int) {
    const int saved = errno;
    pid_t child = fork_guarded();
    if (child == 0) {
        allocate_and_exit();
    }
    require_success(child);
    forks.fetch_add(1);
    errno = saved;
}

void allocate_until_forked_often() {
    storm::timer interruptions(SIGPROF, fork_in_handler);
    churn mine(5, 4u << 20);
    while (forks < kForks) {
        mine.run(100);
    }
}

// Forks at every so manieth instruction: a prime number, so that none is always missed.
void fork_now_and_then(int signal) {
    static uint64_t steps = 0;
    if (++steps % 211 == 0) {
        fork_in_handler(signal);
    }
}

} // namespace

PROMISE(a_handler_that_interrupted_malloc_may_fork) {
    allocate_until_forked_often();
}

PROMISE(a_handler_that_interrupted_malloc_may_fork_while_other_threads_allocate) {
    busy_threads others(3);
    allocate_until_forked_often();
}

PROMISE(a_handler_may_fork_at_any_instruction_of_malloc) {
    constexpr size_t kSizes[] = {16, 200, 2000, 20'000, 150'000, 400'000, 1'500'000, 5'000'000};
    storm::every_instruction interruptions(fork_now_and_then);
    for (size_t i = 0; forks < 2 * kForks; ++i) {
        void* block = std::malloc(kSizes[i % std::size(kSizes)]);
        std::free(std::realloc(block, 2 * kSizes[i % std::size(kSizes)]));
    }
}
