// Sampling without an instruction more on the fast paths while it is off. While it is on, the class table
// leads malloc to class 0, which has no magazine; on the way to the slow path stands a second fast path
// (entry/fast_path_counted_x86_64.S) with a table of its own, and with a countdown of bytes in the row. Where
// that has come to its end the allocation is sampled. free and the magazines are as they always are.
//
// What comes to the slow path without having been counted there (larger and aligned blocks; all, where there
// is no such path) is counted by the thread.
#include "front/front.h"
#include "os/thread.h"

#include <utility>

// Whether the second fast path is to be tried.
extern "C" __attribute__((visibility("hidden"))) uint32_t lowtide_counts;
uint32_t lowtide_counts = 0;

namespace lowtide {

void cache::show_counted(bool shown) noexcept {
    show(state_->counted_classes, shown);
    __atomic_store_n(&lowtide_counts, shown ? 1 : 0, __ATOMIC_RELEASE);
}

void cache::set_counting(bool yes, chance& distances) noexcept {
    if (policy_ != os::rseq_support::by_cid) {
        __atomic_store_n(&counts_, yes, __ATOMIC_RELAXED);
        return;
    }
    if (!lock(collecting_))
        return;
    close();
    static_cast<void>(os::restart_sequences()); // refused, some count a little too much or too little
    for (unsigned r = 0; r < rows_; ++r)
        __atomic_store_n(&state_->rows[r].countdown, static_cast<uint64_t>(distances.distance(r)),
                         __ATOMIC_RELAXED);
    __atomic_store_n(&counts_, yes, __ATOMIC_RELAXED);
    open();
    collecting_.unlock();
}

// Refused, it is over already at the next allocation, which begins it anew.
void cache::restart_countdown(int64_t bytes) noexcept {
    uint64_t before = 0;
    static_cast<void>(exchange_word(&state_->rows[0].countdown, static_cast<uint64_t>(bytes), before));
}

void front::set_sampling(size_t mean_bytes) noexcept {
    chance_.set_mean(mean_bytes);
    if (mean_bytes != 0 || cache_.counts())
        cache_.set_counting(mean_bytes != 0, chance_);
}

bool front::is_sampled(size_t size) noexcept {
    switch (std::exchange(lowtide_thread.counted, os::counted_as::no)) {
    case os::counted_as::passed:
        return false;
    case os::counted_as::sampled:
        cache_.restart_countdown(chance_.distance(cache_.row()));
        return true;
    case os::counted_as::no:
        break;
    }
    int64_t& left = lowtide_thread.countdown;
    if (left <= 0) // at the beginning, or when it came out even
        left = chance_.distance(cache_.row());
    left -= static_cast<int64_t>(size);
    return left < 0;
}

} // namespace lowtide
