// What a process holds while it does nothing: its resident memory at set times, and its mappings, without a
// call of malloc.
#pragma once

#include "table.h"
#include "workload.h"

#include <span>

namespace lowtide::bench {

/// The pages that objects lie on: no allocator can hold less without moving them.
class touched_pages {
public:
    void add(const void* object, std::size_t size) {
        const auto at = reinterpret_cast<std::uintptr_t>(object);
        for (std::uintptr_t p = at / page; p <= (at + size - 1) / page; ++p) {
            const std::uint64_t bit = std::uint64_t{1} << p % 64;
            count_ += (seen_[p / 64] & bit) == 0 ? 1 : 0;
            seen_[p / 64] |= bit;
        }
    }
    std::uint64_t bytes() const { return count_ * page; }

private:
    table<std::uint64_t> seen_{(std::size_t{1} << 47) / page / 64}; // only what is written takes memory
    std::uint64_t count_ = 0;
};

/// The lines of /proc/self/maps.
double mappings();

/// Notes what is resident now, at the peak. `live`: bytes that the program has asked for and holds.
void note_peak(outcome& result, std::uint64_t live);

/// Waits for `seconds` (at most the last of idle_times_ms) and notes the resident memory on the way, the
/// mappings at the end. `least`: bytes of the pages that live objects lie on; `own`: memory of the workload's
/// that doesn't count, whole pages.
void stay_idle(outcome& result, double seconds, std::uint64_t live, std::uint64_t least,
               std::span<char> own = {});

} // namespace lowtide::bench
