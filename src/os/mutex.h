// A futex lock that knows who holds it. Two things that no library lock does are needed here.
//
// lock() answers `mine` instead of waiting when this very thread holds it already, which happens when a
// signal handler allocates while it interrupts the allocator; the caller then goes round the lock.
//
// lock() answers `orphaned`, with the lock taken, when the holder was a thread of the parent process and did
// not survive fork; the caller then repairs what the lock guards before it goes on.
//
// The word: thread pointer >> 6 in the upper 41 bits (thread control blocks are aligned to 64), the
// generation of the process below it, and bit 0 says that somebody may be asleep. 0 is free.
#pragma once

#include "base/units.h"
#include "os/futex.h"
#include "os/generation.h"
#include "os/thread.h"

#include <atomic>

namespace lowtide::os {

enum class acquired : uint8_t { yes, orphaned, mine };

class mutex {
public:
    // `nested`: the caller holds another of our locks by intent, one that is taken before this one by every
    // thread; it waits all the same.
    [[nodiscard]] acquired lock(bool nested = false) noexcept {
        uint64_t expected = 0;
        note(1); // first: a handler that comes in between must take it for held
        if (word_.compare_exchange_strong(expected, own_word(), std::memory_order_acquire)) [[likely]]
            return acquired::yes;
        const acquired how = lock_slow(expected, nested);
        if (how == acquired::mine)
            note(-1);
        return how;
    }

    [[nodiscard]] bool try_lock() noexcept {
        uint64_t expected = 0;
        return word_.compare_exchange_strong(expected, own_word(), std::memory_order_acquire);
    }

    // Is it held by a thread that did not survive a fork?
    [[nodiscard, gnu::cold]] bool orphaned() const noexcept;

    void unlock() noexcept {
        if ((word_.exchange(0, std::memory_order_release) & sleepers) != 0) [[unlikely]]
            futex_wake_one(low_half());
        note(-1);
    }

    // The same for a lock under which all others are taken as usual, and which is waited for while none is
    // held: it doesn't count as held.
    [[nodiscard]] acquired lock_outermost() noexcept {
        const acquired how = lock();
        if (how != acquired::mine)
            note(-1);
        return how;
    }
    void unlock_outermost() noexcept {
        note(1);
        unlock();
    }

private:
    static constexpr uint64_t sleepers = 1;

    static void note(int change) noexcept {
        lowtide_thread.held = static_cast<uint8_t>(lowtide_thread.held + change);
        std::atomic_signal_fence(std::memory_order_seq_cst);
    }

    static uint64_t own_word() noexcept {
        return (this_thread() >> 6) << (generation_bits + 1) | uint64_t{generation()} << 1;
    }

    [[nodiscard]] const uint32_t* low_half() const noexcept {
        return reinterpret_cast<const uint32_t*>(&word_);
    }

    [[LOWTIDE_RARE]] acquired lock_slow(uint64_t seen, bool nested) noexcept;

    std::atomic<uint64_t> word_{0};
};

} // namespace lowtide::os
