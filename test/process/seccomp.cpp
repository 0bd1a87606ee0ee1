// Filters that refuse system calls the library may want but does not need: its wishes about memory, barriers,
// rseq, processors. Whatever error the kernel gives, it is never fatal, and what the call would have done is
// not assumed done. A filter may be there before the program starts, or come while it runs.
#include "filter.h"
#include "harness.h"
#include "workload.h"

#include <cerrno>
#include <cstring>
#include <malloc.h>
#include <string>
#include <sys/syscall.h>

using namespace harness;
using namespace workload;

namespace {

constexpr long kRefused[] = {SYS_madvise, SYS_process_madvise, SYS_membarrier,        SYS_rseq,
                             SYS_mremap,  SYS_prctl,           SYS_sched_getaffinity, SYS_getcpu,
                             SYS_mincore, SYS_getrandom,       SYS_sysinfo,           SYS_prlimit64};
constexpr int kErrors[] = {EPERM, ENOSYS, EINVAL, ENOMEM};

// Freed memory whose return to the system was refused still has its old content; calloc must not believe.
void require_calloc_zeroes() {
    for (size_t size : {200, 5000, 70'000, 300'000, 5'000'000, 80'000'000}) {
        for (int round = 0; round < 3; ++round) {
            auto* block = static_cast<unsigned char*>(std::calloc(1, size));
            REQUIRE(block != nullptr);
            for (size_t at = 0; at < size; ++at) {
                REQUIRE(block[at] == 0);
            }
            std::memset(block, 0xee, size);
            std::free(block);
            malloc_trim(0);
        }
    }
}

void use_everything() {
    use_every_size();
    require_calloc_zeroes();
    busy_threads threads(4);
    threads.wait_for_steps(5000);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        alarm(kHangSeconds);
        threads.drain_exchange();
        churn own(1);
        own.run(5000);
        own.clear();
        exit(0);
    }
    require_success(child);
}

// The filter that `prepare` installs; set before the child is forked.
std::vector<long> refused_calls;
int refused_error;

void install_filter() {
    filter::refuse(refused_calls, refused_error);
}

} // namespace

PART(works) {
    REQUIRE(malloc_is_ours());
    use_everything();
}

PROMISE(a_filter_set_before_the_start_may_refuse_any_wish) {
    refused_error = EPERM;
    for (long call : kRefused) {
        refused_calls = {call};
        require_success(run_part("works", {.prepare = install_filter}));
    }
}

PROMISE(a_filter_set_before_the_start_may_refuse_all_wishes_with_any_error) {
    refused_calls.assign(std::begin(kRefused), std::end(kRefused));
    for (int error : kErrors) {
        refused_error = error;
        require_success(run_part("works", {.prepare = install_filter}));
    }
}

PROMISE(a_filter_set_while_running_may_refuse_any_wish) {
    for (int error : kErrors) {
        pid_t child = fork_guarded();
        if (child == 0) {
            churn mine(1, 5u << 20);
            mine.run(2000);
            busy_threads old_threads(3);
            old_threads.wait_for_steps(1000);
            // Without rseq: the C library itself ends a process in which a new thread cannot register.
            std::vector<long> calls;
            for (long call : kRefused) {
                if (call != SYS_rseq) {
                    calls.push_back(call);
                }
            }
            filter::refuse(calls, error);
            use_everything();
            mine.run(2000);
            old_threads.wait_for_steps(5000);
            _exit(0);
        }
        require_success(child);
    }
}
