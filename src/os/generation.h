// Which process is this? A number that changes in a child of fork, so that a lock which a thread of the
// parent held at the moment of the fork can be told from one that is held now (see mutex.h). No lock is taken
// across fork: a thread that holds stdio's lock may wait for ours while fork waits for stdio's.
//
// The number lives in a page that the kernel zeroes in the child, so that a child made by a raw clone system
// call is noticed too. Where the kernel is too old for that, the atfork handler of entry/ calls
// after_fork_in_child().
#pragma once

#include <atomic>
#include <cstdint>

namespace lowtide::os {

inline constexpr uint32_t generation_bits = 22;

// 1 .. 2^22-1, never 0. Async-signal-safe.
uint32_t generation() noexcept;

// Called in the child; harmless when the kernel has already said so.
[[gnu::cold]] void after_fork_in_child() noexcept;

// Does the caller run in another process than the one that the memory belongs to: a child of vfork?
[[nodiscard, gnu::cold]] bool in_borrowed_memory() noexcept;

// A word of the process's own: 0 in a child of fork from its beginning on (where the kernel can't wipe: from
// after_fork_in_child() on), until somebody there stores something.
[[nodiscard]] std::atomic<uint32_t>& word_of_process() noexcept;

// Does the kernel say that it wipes the page? Otherwise somebody has to call after_fork_in_child().
[[nodiscard]] bool fork_is_noticed() noexcept;

// True for the thread that called fork and lives on in the child, while the generation is the one that began
// there: locks it held at that moment (it was in a signal handler) are its own, not a ghost's.
[[gnu::cold]] bool survived_fork(uintptr_t thread) noexcept;

// The calling thread's identity: its thread pointer, unique among the threads that live, and the same in a
// child.
inline uintptr_t this_thread() noexcept {
    return reinterpret_cast<uintptr_t>(__builtin_thread_pointer());
}

} // namespace lowtide::os
