// The control groups that this process is in, from its own up to the highest that is mounted: what memory and
// processor time they leave it. Version 2, version 1, and both side by side; containers' mounts.
//
// An object is guarded by a lock of its owner's, and is all zeros until find(): then no group is known. Every
// answer is read anew from the kernel's files, a few µs each, but which levels have a limit of memory is
// looked up by find() alone: call it again from time to time, for limits appear and a process may be moved.
// A file that is missing, unreadable or not as expected says that there is no limit.
//
// No malloc, 2 KiB of stack, errno is left alone. What it opens is closed at once; still, a thread that
// closes descriptors which aren't its own may meet one of these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lowtide::os {

class control_group {
public:
    constexpr control_group() = default;

    // Looks the process's groups up below `root`: "" for the system, a folder of at most 255 characters in
    // tests. False where no memory controller is found.
    bool find(const char* root) noexcept;

    // Of the memory controller; 0 where none was found.
    [[nodiscard]] int version() const { return version_; }

    static constexpr size_t unlimited = SIZE_MAX;

    struct memory {
        size_t limit = unlimited;    // above it the kernel kills: the lowest of all levels
        size_t high = unlimited;     // above it the kernel slows down and reclaims: the lowest
        size_t headroom = unlimited; // the least, of all levels, between what is used and `limit` or `high`
    };
    memory read_memory() noexcept;

    // The group with the lowest limit that read_memory() last saw; empty: none. Until the next find().
    [[nodiscard]] std::string_view folder_of_limit() const { return {text_ + memory_.begin, limit_length_}; }

    // Processors' worth of time by the lowest quota of all levels, in thousandths. 0: none.
    [[nodiscard]] unsigned cpu_quota() const noexcept;

    // Microseconds for which some task of the own group has waited for memory so far. -1: the kernel doesn't
    // count that (it does in version 2), or the group is the root, whose count is the machine's.
    [[nodiscard]] int64_t own_stalled_us() const noexcept;
    // Of the whole machine. -1: the kernel doesn't count that.
    [[nodiscard]] int64_t machine_stalled_us() const noexcept;

private:
    // A hierarchy, as where the own group's folder is in text_. The folders above it, up to the mount, are
    // that name's beginnings.
    struct place {
        uint16_t begin = 0;
        uint16_t length = 0; // 0: there is no such hierarchy
        uint16_t mount_length = 0;
    };
    class search;
    struct searches;
    class level;

    place keep(const search& found) noexcept;
    void find_limits() noexcept;
    [[nodiscard]] level own(place where) const noexcept;

    uint64_t limited_ = 0; // bit i: the folder i (modulo 64) levels above the own group's has a limit
    place memory_;
    place cpu_;
    place unified_; // version 2's, for memory.pressure
    uint16_t limit_length_ = 0;
    uint16_t root_length_ = 0;
    uint16_t used_ = 0; // bytes of text_
    uint8_t version_ = 0;
    bool cpu_is_v1_ = false;
    char text_[2048] = {}; // `root`, then the folders
};

} // namespace lowtide::os
