// The two futex calls a lock needs.
#pragma once

#include "os/syscall.h"

#include <cstdint>
#include <linux/futex.h>

namespace lowtide::os {

inline void futex_wait(const uint32_t* word, uint32_t while_value) noexcept {
    system_call(SYS_futex, reinterpret_cast<long>(word), FUTEX_WAIT_PRIVATE, static_cast<long>(while_value),
                0);
}

inline void futex_wake_one(const uint32_t* word) noexcept {
    system_call(SYS_futex, reinterpret_cast<long>(word), FUTEX_WAKE_PRIVATE, 1);
}

} // namespace lowtide::os
