// What the process may hold: looks now and then at the limits of its control groups, at what those have left,
// and at how long tasks wait for memory, and sets the soft limit (pages/ceiling.h) accordingly. The limits of
// the options hold as well; the lowest counts.
//
// A group's limit becomes one of this process: what it holds now and what the group has left, but for a
// sixteenth of the limit, which is for what grows between two looks and for what is not the heap's. So it
// follows what other processes of the group take, and what of the heap was never touched doesn't count. While
// memory is scarce the soft limit is 0.
//
// Who looks opens files. That is the background thread, which has a table of descriptors of its own, every
// 100 ms; where there is none, the program's slow calls do it. On the way to a limit, each time a quarter of
// what was left has been taken.
//
// Owner: the heap. One thread looks at a time; another goes on with what is known. A child of fork looks
// anew.
#pragma once

#include "base/options.h"
#include "os/cgroup.h"
#include "os/machine.h"
#include "pages/ceiling.h"

#include <atomic>

namespace lowtide {

// What is looked at: the system in a process; files, a clock and answers of a test's own there.
struct watched_system {
    const char* root = ""; // of the files of control groups and of pressure
    uint64_t (*now_ms)() noexcept = os::now_ms;
    size_t (*anonymous_resident_bytes)() noexcept = os::anonymous_resident_bytes;
    bool (*memory_is_scarce)() noexcept = os::memory_is_scarce;
};

class watch {
public:
    constexpr watch(ceiling* limits, const options* settings, os::control_group* group,
                    const watched_system* system)
        : limits_(limits), settings_(settings), system_(system), group_(*group) {}

    // At the start, and when the options have been changed.
    [[gnu::cold]] void apply_options() noexcept;

    // Reads what has to be read, if it is time: so long after the last look, or so much on the way to a
    // limit. `attended`: by the background thread, which also returns what has been left alone. `dirty`: how
    // much of what is held is free.
    [[gnu::cold]] void look(bool attended, size_t dirty) noexcept;

    // Is more held than the soft limit allows, and is it worth returning all that is free once more? Not when
    // that was done a short while ago and there is hardly more since: where the program itself needs that
    // much, looking for more again and again would stop it.
    [[nodiscard]] bool asks_for_relief() const noexcept;
    // It has been done.
    [[gnu::cold]] void note_relief() noexcept;

    // What must be held for that.
    [[nodiscard, gnu::cold]] size_t relief_at() const noexcept;
    // Has the ceiling call for attention then, or when a look is due before its time.
    [[gnu::cold]] void expect_attention() const noexcept;

    // Has so much been held or taken that a look is due before its time?
    [[nodiscard, gnu::cold]] bool is_look_due() const noexcept;

    // Processors' worth of time that the group has, in thousandths; 0: all.
    [[nodiscard]] unsigned cpu_quota() const noexcept { return cpu_quota_.load(std::memory_order_relaxed); }

private:
    [[nodiscard]] bool begin_look() noexcept;
    void look_at_group(uint64_t now, bool attended, size_t dirty) noexcept;
    void look_at_pressure(uint64_t now) noexcept;
    void set_soft(size_t by_group) noexcept;

    ceiling* limits_;
    const options* settings_;
    const watched_system* system_;
    std::atomic<uint32_t> looking_in_{0}; // the generation in which a thread looks; 0: none does
    std::atomic<uint64_t> next_look_ms_{0};
    // What must be held, or have been taken since the last one, for one before that.
    std::atomic<size_t> look_at_{0};
    std::atomic<size_t> look_after_{SIZE_MAX};
    std::atomic<uint64_t> relieved_ms_{0};
    std::atomic<size_t> relieved_{0}; // what was held after the last relief; 0: there was none
    std::atomic<unsigned> cpu_quota_{0};
    std::atomic<size_t> by_group_{SIZE_MAX}; // the soft limit that follows from the group and from pressure
    // Of whoever looks.
    os::control_group& group_;
    uint32_t known_in_ = 0; // the generation that found the group
    uint64_t next_find_ms_ = 0;
    int64_t group_stalled_us_ = -1;
    int64_t machine_stalled_us_ = -1;
    uint64_t stalled_ms_ = 0; // when these were read
    uint64_t scarce_until_ms_ = 0;
};

} // namespace lowtide
