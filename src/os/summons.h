// How another process wakes a thread of ours that sleeps for long: nobody polls, nothing is open, and no file
// is made for it. The thread waits on two words, one that its own process changes, and one that nobody does:
// the first word of the file that this code was mapped from. The kernel keys a futex in a mapped file by the
// file, so whoever maps the same file wakes all that wait there (futex(2); `lowtide trim` and its relatives
// do). Those then look whether it was about them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lowtide::os {

enum class woken_by : uint8_t {
    change, // of the own word, or by futex_wake_one() on it
    summons,
    time,
    refusal, // the system can't wait for both (Linux before 5.16, a filter)
};

// Waits while `*word` is that; at most so long.
[[nodiscard, gnu::cold]] woken_by wait_for_summons(const uint32_t* word, uint32_t while_value,
                                                   uint64_t ms) noexcept;

// Threads of this process, this one too; 0 where it can't be known.
[[nodiscard, gnu::cold]] size_t count_threads() noexcept;

} // namespace lowtide::os
