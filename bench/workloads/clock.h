// The time that a workload takes.
#pragma once

#include <ctime>

namespace lowtide::bench {

inline double now_ns() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

} // namespace lowtide::bench
