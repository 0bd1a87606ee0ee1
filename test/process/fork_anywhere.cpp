// Fork while another thread stands at a given instruction of malloc: it is stepped through, and at every so
// manieth instruction it waits until its sibling has forked and the child has come to its end. In the child
// that thread is gone, with whatever lock it held and whatever it had half done.
//
// This asks for more than fork's own handlers can give: a library that takes its locks before fork would wait
// for the thread that waits for the fork.
#include "harness.h"
#include "storm.h"
#include "workload.h"

#include <malloc.h>

using namespace harness;
using namespace workload;

namespace {

constexpr int kForks = 500;
constexpr uint64_t kStride = 127; // a prime number, so that no instruction is always missed

std::atomic<int> asked{0};
std::atomic<int> forked{0};

void wait_for_a_fork(int) {
    static uint64_t steps = 0;
    if (++steps % kStride == 0 && forked < kForks) {
        const int before = forked;
        asked.fetch_add(1);
        asked.notify_one();
        forked.wait(before);
    }
}

// Through every tier and back.
void* be_stepped_through(void*) {
    constexpr size_t kSizes[] = {16, 200, 2000, 20'000, 150'000, 400'000, 1'500'000, 5'000'000};
    storm::every_instruction interruptions(wait_for_a_fork);
    for (size_t i = 0; forked < kForks; ++i) {
        void* block = std::malloc(kSizes[i % std::size(kSizes)]);
        std::free(std::realloc(block, 2 * kSizes[i % std::size(kSizes)]));
        if (i % 20 == 0) {
            malloc_trim(0);
        }
    }
    return nullptr;
}

} // namespace

PROMISE(fork_child_can_allocate_wherever_another_thread_stood_in_malloc) {
    churn inherited(1, 1u << 20);
    inherited.run(1000);
    pthread_t stepped = start_thread(be_stepped_through, nullptr);
    for (int turn = 0; turn < kForks; ++turn) {
        asked.wait(turn);
        pid_t child = fork_guarded();
        if (child == 0) {
            inherited.run(300);
            inherited.clear();
            malloc_trim(0);
            churn own(2, 5u << 20);
            own.run(300);
            _exit(0);
        }
        require_success(child);
        forked.fetch_add(1);
        forked.notify_one();
    }
    join_thread(stepped);
}
