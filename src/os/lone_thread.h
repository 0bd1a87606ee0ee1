// A thread that libc doesn't know: it counts for no pthread_exit, has no thread-local variables of the
// program's libraries, gets no signal, and is gone in a child of fork. It may call nothing of libc but memory
// functions: any other may be the program's own, or need a thread that libc knows.
//
// It has the affinity of the process's first thread, no real-time priority, whatever its creator has, and a
// table of descriptors of its own; but not under a seccomp filter.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace lowtide::os {

// Has the program set the trap flag of this very thread, to be interrupted at each instruction? A new thread
// would have it too, with the signal blocked, and die of it.
[[nodiscard, gnu::cold]] bool steps_itself() noexcept;

class lone_thread {
public:
    // False when the system refuses. The one before, if any, is about to end. Async-signal-safe.
    [[nodiscard, gnu::cold]] bool start(void (*run)() noexcept, const char* name) noexcept;

    // Waits until it has ended, if it was started in this process, but no longer than that. `run` has to have
    // been told to return.
    [[gnu::cold]] void join(uint64_t ms) noexcept;

private:
    static constexpr size_t stack_bytes = 64 * 1024;

    [[nodiscard, gnu::cold]] bool make_stack() noexcept;

    // The kernel stores the thread's id, and 0 when it has ended.
    std::atomic<uint32_t> alive_{0};
    uintptr_t mapping_ = 0; // stack, thread-local variables and control block; reused
    size_t mapping_bytes_ = 0;
    uintptr_t control_block_ = 0;
    uint32_t generation_ = 0; // of the process that the mapping is in
};

// A number that stands for the user and group ids of the calling thread, real and effective.
[[nodiscard, gnu::cold]] uint64_t ids_of_thread() noexcept;

} // namespace lowtide::os
