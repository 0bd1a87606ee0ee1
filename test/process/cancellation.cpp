// Cancelled threads: malloc is no cancellation point, so a pending request leaves it alone; a thread that is
// cancelled somewhere between allocations takes no lock with it.
#include "harness.h"
#include "workload.h"

#include <malloc.h>
#include <sched.h>

using namespace harness;
using namespace workload;

namespace {

// What a thread returns that came to its end.
int finished_mark;
void* const kFinished = &finished_mark;

// Runs the body in a thread with a request pending from the start; nullptr if it was cancelled within.
void* run_with_pending_request(void* (*body)(void*)) {
    static void* (*current)(void*);
    current = body;
    pthread_t thread = start_thread(
        [](void*) -> void* {
            pthread_cancel(pthread_self());
            void* result = current(nullptr);
            pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
            return result;
        },
        nullptr);
    void* result = nullptr;
    REQUIRE(pthread_join(thread, &result) == 0);
    return result;
}

void* use_all_that_never_waits(void*) {
    use_every_size();
    churn own(1, 5u << 20);
    own.run(20'000);
    own.clear();
    malloc_trim(0);
    static_cast<void>(mallinfo2());
    return kFinished;
}

std::atomic<uint64_t> allocations{0};

void* allocate_until_cancelled(void*) {
    for (generator random(allocations);; allocations.fetch_add(1)) {
        // Nothing but malloc and free: what else the tests do with memory would notice the cut.
        std::free(std::malloc(random_size(random, 1u << 20)));
        pthread_testcancel();
    }
}

} // namespace

PROMISE(malloc_is_no_cancellation_point) {
    REQUIRE(run_with_pending_request(use_all_that_never_waits) == kFinished);
}

// Each after a random number of allocations, while others go on.
PROMISE(threads_may_be_cancelled_between_allocations) {
    busy_threads others(2);
    generator random(1);
    for (int i = 0; i < 300; ++i) {
        pthread_t thread = start_thread(allocate_until_cancelled, nullptr);
        const uint64_t goal = allocations + random.below(50);
        while (allocations < goal) {
            sched_yield();
        }
        REQUIRE(pthread_cancel(thread) == 0);
        void* result = nullptr;
        REQUIRE(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
    }
    others.wait_for_steps(1000);
    use_every_size();
}
