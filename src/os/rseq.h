// Restartable sequences on the area that glibc (2.35 and later) has registered for every thread. We never
// register one of our own: a thread has room for one, and whoever takes it from glibc forces everyone else
// into a fallback.
//
// The three operations work on a table of words, one row for each concurrency id: each finds the row of the
// id that the thread has at that moment and ends in one committing store. They are what slow paths are made
// of; the fast paths are in entry/fast_path_x86_64.S.
//
// Sources: rseq(2) of the kernel's tools/testing/selftests/rseq; include/uapi/linux/rseq.h; glibc
// manual 24.2.3.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lowtide::os {

// Where the thread's area and the id in it are, as distances from the thread pointer.
struct rseq_place {
    int64_t area = 0;
    int64_t id = 0;
    // Not 0: the words are being collected by somebody (front/cache.h), and every operation answers
    // "aborted". Read inside the sequences, so that a membarrier behind the store makes it certain.
    uint32_t closed = 0;
};

// What this process can use. `locked`: no area (old glibc, musl, valgrind, gVisor, qemu-user, a tunable).
enum class rseq_support : uint8_t { locked, by_cpu, by_cid };

// Looks at the calling thread's area. Not cached.
rseq_support find_rseq(rseq_place& place) noexcept;

// Restarts every sequence of this process that is running (membarrier(2), Linux 5.10): afterwards each thread
// has seen what was stored before. False where the kernel can't or may not.
[[gnu::cold]] bool restart_sequences() noexcept;

} // namespace lowtide::os

extern "C" {

// Values that no pointer to an object has.
enum : uintptr_t { lowtide_rseq_nothing = 0, lowtide_rseq_aborted = 1 };

// `words` points to the word in row 0. A word holds the address of a stack's top.

// Pops the object under the top. lowtide_rseq_nothing when the word below the top is 0, lowtide_rseq_aborted
// when the sequence was interrupted or the thread is not registered.
__attribute__((visibility("hidden"))) uintptr_t lowtide_rseq_pop(uint64_t* words, size_t row_bytes,
                                                                 const lowtide::os::rseq_place* place);

// Pushes `object` unless the top is 2 KiB-aligned (then: lowtide_rseq_nothing). `object` when done.
__attribute__((visibility("hidden"))) uintptr_t
lowtide_rseq_push(uint64_t* words, size_t row_bytes, const lowtide::os::rseq_place* place, void* object);

// Stores `next` and puts what was there into `previous`. 0, or lowtide_rseq_aborted.
__attribute__((visibility("hidden"))) uintptr_t lowtide_rseq_exchange(uint64_t* words, size_t row_bytes,
                                                                      const lowtide::os::rseq_place* place,
                                                                      uint64_t next, uint64_t* previous);
}
