// Huge pages for a process that grows fast: a block that slabs have begun to fill is faulted in by one huge
// page instead of 512 small ones, in a third of the time.
//
// Only where all of it will be touched soon: in blocks for slabs, and while blocks are begun one after the
// other. Where a process grows slowly, faults cost it little, and a huge page would be resident long before
// it is needed. What of the block is still free counts as dirty from then on: it is reused first, and goes
// back as all dirty memory does if nobody needs it.
//
// The kernel may have to make room for a huge page first (compaction), or a hypervisor to find the memory. If
// that takes longer than the small pages would have taken, or comes to nothing, it isn't asked again for
// twenty times as long. It also comes to nothing where another thread has already touched the block: that was
// quick.
#include "pages/page_tier.h"

namespace lowtide {

namespace {

// So many blocks (page_tier::begun_noted) within this time are fast: 8 MiB in 100 ms.
constexpr uint64_t fast_ms = 100;
// With less in use, the rest of a block would be a large part of the process.
constexpr size_t least_used = 16 * mebibyte;
constexpr uint32_t slow_fill_us = 2000; // 512 small faults take 250 to 2,000
constexpr uint64_t pause_factor = 20;

} // namespace

// Called when a block has been begun; with the lock.
bool page_tier::grows_fast() noexcept {
    const uint64_t now = source_->now_ms();
    const uint64_t before = begun_ms_[begun_];
    begun_ms_[begun_] = now;
    begun_ = (begun_ + 1) % begun_noted;
    return settings_->huge_pages && now - before <= fast_ms && used_slices_ * slice_size >= least_used &&
           now >= no_fill_until_ms_;
}

// Without the lock: it may take a millisecond. The caller holds a run in the block, so it stays one.
void page_tier::fill(block& b) noexcept {
    const os::huge_page_fill fill = source_->fill_with_huge_page(b.base, block_size);
    const uint64_t now = source_->now_ms();
    if (!lock())
        return;
    if (!fill.done || fill.cpu_us >= slow_fill_us)
        no_fill_until_ms_ = now + pause_factor * fill.cpu_us / 1000;
    b.huge |= fill.done;
    const uint32_t resident = fill.done ? b.free & ~b.dirty : 0;
    if (resident != 0) {
        unfile(b);
        add_dirty(b, resident, now);
        file(b);
    }
    mutex_.unlock();
}

} // namespace lowtide
