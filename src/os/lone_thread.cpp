#include "os/lone_thread.h"

#include "base/bits.h"
#include "os/futex.h"
#include "os/generation.h"
#include "os/machine.h"
#include "os/rseq.h"
#include "os/syscall.h"
#include "os/thread.h"
#include "os/vm.h"

#include <csignal>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <new>
#include <sys/mman.h>
#include <sys/prctl.h>

namespace lowtide::os {

namespace {

// As pthread_create has it: an emulator and valgrind know no other.
constexpr unsigned long thread_flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                                       CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
                                       CLONE_CHILD_CLEARTID;

// What the top of the new stack has: popped by the thread before it has a frame.
struct first_frame {
    uintptr_t argument;
    uintptr_t function;
};

// The thread's id, or -errno. The thread calls frame.function(frame.argument) and ends.
[[gnu::cold]] long clone_thread(const first_frame* frame, std::atomic<uint32_t>* alive,
                                uintptr_t control_block) noexcept {
#if defined(__x86_64__)
    long result;
    register long r10 asm("r10") = reinterpret_cast<long>(alive);
    register long r8 asm("r8") = static_cast<long>(control_block);
    asm volatile("syscall\n\t"
                 "testq %%rax, %%rax\n\t"
                 "jnz 1f\n\t"
                 "xorl %%ebp, %%ebp\n\t"
                 "popq %%rdi\n\t"
                 "popq %%rax\n\t"
                 "callq *%%rax\n\t"
                 "xorl %%edi, %%edi\n\t"
                 "movl %[exit], %%eax\n\t"
                 "syscall\n\t"
                 "hlt\n"
                 "1:"
                 : "=a"(result)
                 : "a"(SYS_clone), "D"(thread_flags), "S"(frame), "d"(alive), "r"(r10),
                   "r"(r8), [exit] "i"(SYS_exit)
                 : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 asm("x8") = SYS_clone;
    register long x0 asm("x0") = static_cast<long>(thread_flags);
    register long x1 asm("x1") = reinterpret_cast<long>(frame);
    register long x2 asm("x2") = reinterpret_cast<long>(alive);
    register long x3 asm("x3") = static_cast<long>(control_block);
    register long x4 asm("x4") = reinterpret_cast<long>(alive);
    asm volatile("svc #0\n\t"
                 "cbnz x0, 1f\n\t"
                 "mov x29, xzr\n\t"
                 "mov x30, xzr\n\t"
                 "ldp x0, x1, [sp], #16\n\t"
                 "blr x1\n\t"
                 "mov x0, xzr\n\t"
                 "mov x8, %[exit]\n\t"
                 "svc #0\n"
                 "1:"
                 : "+r"(x0)
                 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), [exit] "i"(SYS_exit)
                 : "memory", "cc");
    return x0;
#endif
}

struct beginning {
    void (*run)() noexcept;
    const char* name;
};

constexpr size_t mask_bytes = 1024;

// With the first thread's affinity, not its creator's, and without a real-time priority.
[[gnu::cold]] void run_as_by_default() noexcept {
    const int priority = 0;
    system_call(SYS_sched_setscheduler, 0, SCHED_NORMAL, reinterpret_cast<long>(&priority));
    alignas(8) unsigned char mask[mask_bytes];
    const long length = system_call(SYS_sched_getaffinity, static_cast<long>(process_id()), mask_bytes,
                                    reinterpret_cast<long>(mask));
    if (!failed(length))
        system_call(SYS_sched_setaffinity, 0, length, reinterpret_cast<long>(mask));
}

[[gnu::cold]] void begin(const beginning* with) noexcept {
    system_call(SYS_prctl, PR_SET_NAME, reinterpret_cast<long>(with->name));
    // Under a seccomp filter only what every program needs: an unusual call may end the process.
    if (system_call(SYS_prctl, PR_GET_SECCOMP) == 0) {
        run_as_by_default();
        // A table of its own (Linux 5.9): what it opens takes none of the program's numbers.
        system_call(SYS_close_range, 0, UINT32_MAX, CLOSE_RANGE_UNSHARE);
    }
    with->run();
}

constexpr size_t control_block_bytes = 256; // libc's own: a pointer to itself, and zeros
constexpr size_t rseq_area_bytes = 64;

// What lies around the thread pointer, at these distances.
struct extent {
    size_t below = 0;
    size_t above = 0;
    void add(int64_t distance, size_t bytes) noexcept {
        const int64_t end = distance + static_cast<int64_t>(bytes);
        if (distance < 0 && static_cast<size_t>(-distance) > below)
            below = static_cast<size_t>(-distance);
        if (end > 0 && static_cast<size_t>(end) > above)
            above = static_cast<size_t>(end);
    }
};

} // namespace

bool steps_itself() noexcept {
#if defined(__x86_64__)
    constexpr uint64_t trap_flag = 0x100;
    return (__builtin_ia32_readeflags_u64() & trap_flag) != 0;
#else
    return false;
#endif
}

// From low to high: the stack, the thread-local variables that lie below the thread pointer (x86-64) or above
// it (aarch64), the control block. Of those of other libraries there is only the space.
bool lone_thread::make_stack() noexcept {
    if (mapping_ != 0 && generation_ == generation())
        return true;
    const auto here = static_cast<int64_t>(reinterpret_cast<uintptr_t>(&lowtide_thread) - this_thread());
    rseq_place rseq{};
    const bool has_rseq = find_rseq(rseq) != rseq_support::locked;
    extent of;
    of.add(0, control_block_bytes);
    of.add(here, sizeof(lowtide_thread));
    if (has_rseq)
        of.add(rseq.area, rseq_area_bytes);
    const size_t below = align_up(of.below, 64);
    mapping_bytes_ = align_up(stack_bytes + below + of.above, page_size());
    mapping_ = map(mapping_bytes_, page_size());
    if (mapping_ == 0)
        return false;
    decommit(mapping_, page_size()); // where a stack that is too small would end
    system_call(SYS_madvise, static_cast<long>(mapping_), static_cast<long>(mapping_bytes_), MADV_DONTFORK);
    control_block_ = mapping_ + stack_bytes + below;
    generation_ = generation();
    alive_.store(0, std::memory_order_relaxed);                     // the parent's
    *reinterpret_cast<uintptr_t*>(control_block_) = control_block_; // %fs:0
    const auto at = [this](int64_t distance) {
        return reinterpret_cast<void*>(control_block_ + static_cast<uintptr_t>(distance));
    };
    auto* area = new (at(here)) thread_area{};
    area->lone = true;
    if (has_rseq) // not registered, and it must not look so
        static_cast<thread_area*>(at(rseq.area))->cpu_id = -1;
    return true;
}

bool lone_thread::start(void (*run)() noexcept, const char* name) noexcept {
    constexpr uint64_t end_of_the_last_ms = 1000; // all that it has left to do is to exit
    join(end_of_the_last_ms);
    if (!make_stack() || alive_.load(std::memory_order_acquire) != 0)
        return false;
    uintptr_t top = mapping_ + stack_bytes;
    auto* with = reinterpret_cast<beginning*>(top -= align_up(sizeof(beginning), 16));
    *with = {run, name};
    auto* frame = reinterpret_cast<first_frame*>(top -= sizeof(first_frame));
    *frame = {reinterpret_cast<uintptr_t>(with), reinterpret_cast<uintptr_t>(&begin)};
    // All signals, libc's internal ones too: none is ever delivered to it.
    const uint64_t all = ~uint64_t{0};
    uint64_t before = 0;
    system_call(SYS_rt_sigprocmask, SIG_SETMASK, reinterpret_cast<long>(&all),
                reinterpret_cast<long>(&before), sizeof(all));
    alive_.store(1, std::memory_order_relaxed);
    const long id = clone_thread(frame, &alive_, control_block_);
    if (failed(id))
        alive_.store(0, std::memory_order_relaxed);
    system_call(SYS_rt_sigprocmask, SIG_SETMASK, reinterpret_cast<long>(&before), 0, sizeof(all));
    return !failed(id);
}

void lone_thread::join(uint64_t ms) noexcept {
    if (mapping_ == 0 || generation_ != generation())
        return;
    const uint64_t until = now_ms() + ms;
    for (uint32_t id = alive_.load(std::memory_order_acquire); id != 0 && now_ms() < until;
         id = alive_.load(std::memory_order_acquire))
        futex_wait_ms(reinterpret_cast<const uint32_t*>(&alive_), id, ms, FUTEX_WAIT);
}

// Calls that every filter allows; saved ids would need others.
uint64_t ids_of_thread() noexcept {
    uint64_t ids = 0;
    for (const long call : {SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid})
        ids = ids * 0x100000001b3 + static_cast<uint64_t>(system_call(call));
    return ids;
}

} // namespace lowtide::os
