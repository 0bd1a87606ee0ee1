// The processors that this process may use, and moving from one to another.
#pragma once

#include "objects.h"

#include <sched.h>

namespace lowtide::bench {

class processors {
public:
    processors() {
        cpu_set_t usable;
        if (sched_getaffinity(0, sizeof usable, &usable) != 0)
            give_up("cannot tell the processors");
        for (unsigned number = 0; number < CPU_SETSIZE; ++number)
            if (CPU_ISSET(number, &usable))
                numbers_[count_++] = number;
    }

    /// Pins the calling thread to one of them; the next number is the next one, and after the last the first.
    void move_to(std::uint64_t which) const {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(numbers_[which % count_], &one);
        if (sched_setaffinity(0, sizeof one, &one) != 0)
            give_up("cannot move to another processor");
    }

private:
    unsigned numbers_[CPU_SETSIZE];
    unsigned count_ = 0;
};

} // namespace lowtide::bench
