// Restartable sequences that are not there: switched off for the whole process, or for some of its threads.
// The kernel then neither restarts such a thread nor says on which processor it runs; a cache that trusts
// what the thread's rseq area says would be used by two threads at once.
#include "harness.h"
#include "storm.h"
#include "workload.h"

#include <sys/auxv.h>
#include <sys/rseq.h>
#include <sys/syscall.h>

using namespace harness;
using namespace workload;

namespace {

constexpr uint64_t kSteps = 1'000'000;

// Takes this thread's registration with the kernel back. The length must be the one it was registered with,
// which the C library does not tell in every version.
void unregister() {
    auto* area = static_cast<char*>(__builtin_thread_pointer()) + __rseq_offset;
    constexpr unsigned kNewAuxvEntry = 27; // AT_RSEQ_FEATURE_SIZE
    for (unsigned long length : {32ul, static_cast<unsigned long>(__rseq_size), getauxval(kNewAuxvEntry)}) {
        if (syscall(SYS_rseq, area, length, RSEQ_FLAG_UNREGISTER, RSEQ_SIG) == 0) {
            return;
        }
    }
    skip("the C library registers no rseq area");
}

void ignore_signal(int) {}

void unregister_every_other(int index) {
    thread_local storm::timer interruptions(SIGUSR1, ignore_signal);
    if (index % 2 == 0) {
        unregister();
    }
}

void unregister_under_way() {
    churn own(1);
    own.run(1000);
    unregister();
    own.run(1000);
}

} // namespace

PART(works_without_rseq) {
    REQUIRE(malloc_is_ours());
    use_every_size();
    busy_threads threads(4);
    threads.wait_for_steps(kSteps / 10);
}

PROMISE(threads_without_rseq_share_memory_with_threads_that_have_it) {
    busy_threads threads(6, unregister_every_other);
    threads.wait_for_steps(kSteps);
}

PROMISE(threads_may_lose_rseq_under_way) {
    busy_threads others(2);
    busy_threads losing(4, [](int) { unregister_under_way(); });
    losing.wait_for_steps(kSteps / 3);
    others.wait_for_steps(1000);
}

// The C library registers no area for what is started by a thread that has none, and writes into it that this
// failed: just as where a filter refuses the registration.
PROMISE(threads_that_start_without_rseq_share_memory_with_threads_that_have_it) {
    busy_threads with(2);
    with.wait_for_steps(1000);
    unregister();
    busy_threads without(4);
    without.wait_for_steps(kSteps / 3);
    with.wait_for_steps(1000);
    pid_t child = fork_guarded();
    if (child == 0) {
        with.drain_exchange();
        without.drain_exchange();
        use_every_size();
        busy_threads own(3);
        own.wait_for_steps(1000);
        exit(0);
    }
    require_success(child);
}

PROMISE(a_tunable_of_the_c_library_may_switch_rseq_off) {
    require_success(run_part("works_without_rseq", {.environment = {"GLIBC_TUNABLES=glibc.pthread.rseq=0"}}));
}

PROMISE(an_option_of_ours_may_switch_rseq_off) {
    require_success(run_part("works_without_rseq", {.environment = {"LOWTIDE_CONF=rseq:false"}}));
}
