// Objects that are a run of slices each: above 64 KiB, below the size from which an object has a mapping of
// its own.
#pragma once

#include "pages/metadata.h"
#include "pages/page_tier.h"

#include <atomic>

namespace lowtide {

// Far above what a run is for, and far below what a slice_count can count.
inline constexpr size_t max_run_bytes = size_t{1} << 44;

class run_tier {
public:
    constexpr run_tier(page_tier* pages, page_map* map, metadata* records, const page_source* source)
        : pages_(pages), map_(map), records_(records), source_(source) {}

    // At least `size` bytes (1 .. max_run_bytes) aligned to `alignment` (at most block_size; not with more
    // than a block).
    [[nodiscard]] span_result allocate(size_t size, size_t alignment) noexcept;

    // False, and nothing has happened, when a signal handler interrupted the tiers below.
    [[nodiscard]] bool deallocate(span& s) noexcept;

    // Gives the end back, or takes what is free behind it; `size` is not 0. False when it stays as it is.
    [[nodiscard, LOWTIDE_RARE]] bool resize(span& s, size_t size) noexcept;

    // Runs of a class that magazines hold, those in magazines included; of class 0: all others.
    [[nodiscard]] size_t count(size_class c) const noexcept {
        return counts_[index_of(c)].load(std::memory_order_relaxed);
    }
    // Bytes of the runs of class 0, parked ones included.
    [[nodiscard]] size_t unclassed_bytes() const noexcept {
        return unclassed_.load(std::memory_order_relaxed);
    }

private:
    [[LOWTIDE_RARE]] void note_tail(span& s, size_t size, const page_run& run) noexcept;
    void describe(span& s, slice_count length) noexcept;
    void count(const span& s) noexcept;
    void uncount(size_class c, size_t size) noexcept;

    page_tier* pages_;
    page_map* map_;
    metadata* records_;
    const page_source* source_;
    std::atomic<size_t> counts_[all_classes]{};
    std::atomic<size_t> unclassed_{0};
    std::atomic<size_t> loose_{0}; // in all runs (span::loose)
};

} // namespace lowtide
