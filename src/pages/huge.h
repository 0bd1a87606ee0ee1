// Huge objects: from 64 MiB (option `huge`) up, whatever is aligned to more than a block, and what realloc
// grows beyond a few MiB, a mapping of their own. The record of such a span is in the page in front of its
// memory, so that no lock and no other memory is needed: this is also the way out when a signal handler
// allocates while it interrupts the allocator itself.
//
// Where one huge object follows another, the mapping that was freed last is parked for a while: the next one
// takes what it needs from its beginning, and grows into the rest. A vector that doubles to 64 MiB, again and
// again, pays for its faults twice; a buffer that is freed for good goes back at once.
#pragma once

#include "base/options.h"
#include "os/mutex.h"
#include "pages/ceiling.h"
#include "pages/page_map.h"
#include "pages/page_source.h"

#include <atomic>

namespace lowtide {

class huge_tier {
public:
    constexpr huge_tier(page_map* map, const options* settings, const page_source* source, ceiling* limits)
        : map_(map), settings_(settings), source_(source), limits_(limits) {}

    // At least `size` bytes; alignment is a power of two. No span when there is no memory, or
    // the hard limit forbids it. Never waits.
    [[nodiscard]] span_result allocate(size_t size, size_t alignment) noexcept;
    void deallocate(span& s) noexcept;

    // Grows or shrinks to hold `size` bytes, in place or by moving the pages (never the bytes). The span,
    // perhaps at another address, or null when it could not be done; then it is where it was, and no smaller.
    [[nodiscard]] span* resize(span& s, size_t size) noexcept;

    // Gives the parked mapping back when it has waited for the decay time; cheap when there is none.
    void tick() noexcept {
        if (parked_bytes() != 0) [[unlikely]]
            release_parked_after(settings_->decay_ms);
    }
    // At once; the bytes.
    size_t release_parked() noexcept { return parked_bytes() == 0 ? 0 : release_parked_after(0); }

    [[nodiscard]] size_t count() const noexcept { return count_.load(std::memory_order_relaxed); }
    [[nodiscard]] size_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }
    [[nodiscard]] size_t parked_bytes() const noexcept {
        return parked_bytes_.load(std::memory_order_relaxed);
    }
    // The parked mapping.
    struct mapping {
        uintptr_t base = 0;
        size_t bytes = 0; // 0: none
        [[nodiscard]] uintptr_t end() const { return base + bytes; }
    };
    [[nodiscard, gnu::cold]] mapping copy_parked() noexcept;
    [[nodiscard]] size_t returned_bytes() const noexcept { return returned_.load(std::memory_order_relaxed); }

private:
    [[nodiscard]] mapping fresh(size_t bytes, size_t alignment) noexcept;
    span* settle(const mapping& m) noexcept;
    void give_back(const mapping& m) noexcept;
    void keep_stuck(const mapping& m) noexcept;
    void release_stuck() noexcept;
    void note_demand() noexcept;

    // The parked mapping: all under its lock, and not at all where a signal handler has interrupted the
    // holder.
    bool lock() noexcept;
    void set_parked(const mapping& m) noexcept;
    [[nodiscard]] mapping parked() const noexcept { return {parked_base_, parked_bytes()}; }
    mapping cut_parked(size_t bytes) noexcept;
    [[nodiscard]] mapping take_parked(size_t bytes, size_t alignment) noexcept;
    [[nodiscard]] mapping park(const mapping& m) noexcept;
    void absorb_parked(span& s, size_t bytes) noexcept;
    size_t release_parked_after(int64_t ms) noexcept;

    page_map* map_;
    const options* settings_;
    const page_source* source_;
    ceiling* limits_;
    std::atomic<span*> stuck_{nullptr}; // freed, but the kernel could not unmap them; linked by `next`
    std::atomic<size_t> count_{0};
    std::atomic<size_t> bytes_{0};
    std::atomic<size_t> returned_{0}; // unmapped so far, in all
    os::mutex parking_;
    uintptr_t parked_base_ = 0;
    std::atomic<size_t> parked_bytes_{0};
    uint64_t parked_at_ms_ = 0;
    std::atomic<bool> in_demand_{false}; // an object came soon after another had gone
    std::atomic<uint64_t> freed_at_ms_{0};
};

} // namespace lowtide
