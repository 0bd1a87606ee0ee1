// What was destroyed lately: its record stays, so that a thread that still uses it is told so instead of
// reading what has become something else. The newest few of a kind.
#pragma once

#include "os/mutex.h"

namespace lowtide {

template <typename T, unsigned most>
class recently_ended {
public:
    // The one that has to go for it, or null.
    [[nodiscard]] T* bury(T& ended) noexcept {
        if (mutex_.lock_outermost() == os::acquired::mine)
            return nullptr; // lost
        T* oldest = of_[next_];
        of_[next_] = &ended;
        next_ = (next_ + 1) % most;
        mutex_.unlock_outermost();
        return oldest;
    }

private:
    os::mutex mutex_;
    T* of_[most]{};
    unsigned next_ = 0;
};

} // namespace lowtide
