// The futex calls that locks and the background thread need.
#pragma once

#include "os/syscall.h"

#include <cstdint>
#include <ctime>
#include <linux/futex.h>

namespace lowtide::os {

inline void futex_wait(const uint32_t* word, uint32_t while_value) noexcept {
    system_call(SYS_futex, reinterpret_cast<long>(word), FUTEX_WAIT_PRIVATE, static_cast<long>(while_value),
                0);
}

// For at most so long. FUTEX_WAIT is for a word that the kernel itself wakes the waiters of
// (CLONE_CHILD_CLEARTID): it doesn't know that they are private.
inline void futex_wait_ms(const uint32_t* word, uint32_t while_value, uint64_t ms,
                          long operation = FUTEX_WAIT_PRIVATE) noexcept {
    const timespec timeout{static_cast<time_t>(ms / 1000), static_cast<long>(ms % 1000) * 1'000'000};
    system_call(SYS_futex, reinterpret_cast<long>(word), operation, static_cast<long>(while_value),
                reinterpret_cast<long>(&timeout));
}

inline void futex_wake_one(const uint32_t* word) noexcept {
    system_call(SYS_futex, reinterpret_cast<long>(word), FUTEX_WAKE_PRIVATE, 1);
}

} // namespace lowtide::os
