// Huge objects: from 64 MiB (option `huge`) up, and whatever is aligned to more than a block, a mapping of
// their own. The record of such a span is in the page in front of its memory, so that no lock and no other
// memory is needed: this is also the way out when a signal handler allocates while it interrupts the
// allocator itself.
#pragma once

#include "pages/page_map.h"

#include <atomic>

namespace lowtide {

class huge_tier {
public:
    constexpr explicit huge_tier(page_map* map) : map_(map) {}

    // At least `size` bytes, zeroed; alignment is a power of two. Null when there is no memory. Lock-free.
    [[nodiscard]] span* allocate(size_t size, size_t alignment) noexcept;
    void deallocate(span& s) noexcept;

    // Grows or shrinks to hold `size` bytes, in place or by moving the pages (never the bytes). The span,
    // perhaps at another address, or null when it could not be done; then nothing has changed.
    [[nodiscard]] span* resize(span& s, size_t size) noexcept;

    [[nodiscard]] size_t count() const noexcept { return count_.load(std::memory_order_relaxed); }
    [[nodiscard]] size_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }
    [[nodiscard]] size_t returned_bytes() const noexcept { return returned_.load(std::memory_order_relaxed); }

private:
    void keep_stuck(span& s) noexcept;
    void release_stuck() noexcept;
    span* settle(uintptr_t mapping, size_t mapping_bytes) noexcept;

    page_map* map_;
    std::atomic<span*> stuck_{nullptr}; // freed, but the kernel could not unmap them; linked by `next`
    std::atomic<size_t> count_{0};
    std::atomic<size_t> bytes_{0};
    std::atomic<size_t> returned_{0}; // unmapped so far, in all
};

} // namespace lowtide
