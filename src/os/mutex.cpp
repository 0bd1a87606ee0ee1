#include "os/mutex.h"

#include "os/thread.h"

namespace lowtide::os {

namespace {

// How long to spin before sleeping: a holder runs for well under a microsecond unless it has been preempted,
// and then spinning doesn't help.
constexpr int spins = 100;

constexpr uint64_t generation_mask = ((uint64_t{1} << generation_bits) - 1) << 1;
constexpr uint64_t thread_mask = ~(generation_mask | 1);

void pause_briefly() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    asm volatile("yield");
#endif
}

} // namespace

bool mutex::orphaned() const noexcept {
    const uint64_t difference = word_.load(std::memory_order_relaxed) ^ own_word();
    const bool held = word_.load(std::memory_order_relaxed) != 0;
    const bool survivor = (difference & thread_mask) == 0 && survived_fork(this_thread());
    return held && (difference & generation_mask) != 0 && !survivor;
}

acquired mutex::lock_slow(uint64_t seen, bool nested) noexcept {
    const uint64_t own = own_word();
    for (int turn = 0;; ++turn) {
        if (seen == 0) {
            // Whoever had to wait can't know whether others sleep, so it says that somebody may.
            const uint64_t mine = turn > spins ? own | sleepers : own;
            if (word_.compare_exchange_weak(seen, mine, std::memory_order_acquire))
                return acquired::yes;
            continue;
        }
        const bool same_thread = ((seen ^ own) & thread_mask) == 0;
        const bool same_process = ((seen ^ own) & generation_mask) == 0;
        if (same_thread && (same_process || survived_fork(this_thread()))) {
            lowtide_thread.interrupted = true;
            return acquired::mine;
        }
        // Whoever holds a lock never waits: we are a handler that interrupts the holder of another lock, and
        // a handler that interrupts the holder of this one may wait for that.
        if (same_process && lowtide_thread.held > 1 && !nested) {
            lowtide_thread.interrupted = true;
            return acquired::mine;
        }
        if (!same_process) {
            if (word_.compare_exchange_strong(seen, own, std::memory_order_acquire))
                return acquired::orphaned;
            continue;
        }
        if (turn <= spins) {
            pause_briefly();
        } else if ((seen & sleepers) != 0 ||
                   word_.compare_exchange_strong(seen, seen | sleepers, std::memory_order_relaxed)) {
            futex_wait(low_half(), static_cast<uint32_t>(seen | sleepers));
        }
        seen = word_.load(std::memory_order_relaxed);
    }
}

} // namespace lowtide::os
