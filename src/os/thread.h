// What Lowtide keeps for a thread: 32 bytes of static TLS, and nothing to clean up when the thread ends.
#pragma once

#include <cstdint>

namespace lowtide::os {

// What the counted fast path says of the allocation that it gives up; 1 and 2 are in its assembly.
enum class counted_as : uint8_t {
    no,
    passed, // and not sampled
    sampled,
};

// The first fields stand in for the kernel's struct rseq (include/uapi/linux/rseq.h) where there is none: the
// fast paths see a negative cpu id and turn to the slow ones.
struct alignas(32) thread_area {
    counted_as counted = counted_as::no; // in place of cpu_id_start, which nothing here reads
    int32_t cpu_id = -1;
    int64_t countdown =
        0; // of bytes, see front/counting.cpp; in place of the critical section, which no path sets here
    uint32_t slot = 0;        // the locked caches: which row this thread uses, plus one; 0 = not chosen
    uint8_t held = 0;         // locks of ours that this thread holds or is about to take
    bool purging = false;     // in page_tier::purge_block, without its lock
    bool lone = false;        // libc doesn't know this thread (lone_thread.h)
    bool interrupted = false; // a lock of ours was found held by this very thread: a signal handler allocates
    uint32_t mm_cid = 0;      // stands in for the kernel's too
    uint32_t slow_calls = 0;  // how many this thread has made; wraps
};

} // namespace lowtide::os

// Static TLS, so that access needs no call, which could allocate; small, so that a late dlopen finds room.
extern "C"
    __attribute__((visibility("hidden"),
                   tls_model("initial-exec"))) constinit thread_local lowtide::os::thread_area lowtide_thread;
