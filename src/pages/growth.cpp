// Huge pages for a process that grows fast: a block that slabs have begun to fill is faulted in by one huge
// page instead of 512 small ones, in a third of the time.
//
// Only where all of it will be touched soon: in blocks for slabs, and while blocks are begun one after the
// other. Where a process grows slowly, faults cost it little, and a huge page would be resident long before
// it is needed. What of the block is still free counts as dirty from then on: it is reused first, and goes
// back as all dirty memory does if nobody needs it.
//
// And for runs, where the block was resident throughout when it was purged the last time: what was used like
// that will be again. A huge page says nothing about how it was used, so after a few of them small pages have
// to show it again. Where there is none to be had the small pages are faulted in at once, in 0.7 of the time
// of touching them.
//
// The kernel may have to make room for a huge page first (compaction), or a hypervisor to find the memory. If
// that takes longer than the small pages would have taken, or comes to nothing, it isn't asked again for
// twenty times as long, and if it does so again, twice as long each time. It also comes to nothing where
// another thread has already touched the block: that was quick.
#include "pages/page_tier.h"

namespace lowtide {

namespace {

// So many blocks (page_tier::begun_noted) within this time are fast: 8 MiB in 100 ms.
constexpr uint64_t fast_ms = 100;
// With less in use, the rest of a block would be a large part of the process.
constexpr size_t least_used = 16 * mebibyte;
constexpr uint32_t slow_fill_us = 2000; // 512 small faults take 250 to 2,000
constexpr uint32_t pause_factor = 20;
constexpr uint32_t most_doublings = 6;
constexpr uint8_t fills_a_proof = 8;

} // namespace

// Called when a block has been begun; with the lock.
bool page_tier::grows_fast() noexcept {
    const uint64_t now = source_->now_ms();
    const uint64_t before = begun_ms_[begun_];
    begun_ms_[begun_] = now;
    begun_ = (begun_ + 1) % begun_noted;
    return settings_->huge_pages && now - before <= fast_ms && used_slices_ * slice_size >= least_used &&
           now >= no_fill_until_ms_ && limits_->has_room(block_size);
}

// Without the lock: it may take a millisecond. The caller holds a run in the block, so it stays one.
void page_tier::fill(block& b) noexcept {
    const os::huge_page_fill fill = source_->fill_with_huge_page(b.base, block_size);
    const uint64_t now = source_->now_ms();
    if (!lock())
        return;
    if (fill.done && fill.cpu_us < slow_fill_us) {
        slow_fills_ = 0;
    } else {
        no_fill_until_ms_ = now + (uint64_t{pause_factor} << slow_fills_) * fill.cpu_us / 1000;
        slow_fills_ += slow_fills_ < most_doublings ? 1 : 0;
    }
    if (fill.done)
        note_huge_page(b, huge_page::advised, now);
    unlock();
}

// All of the block is in memory now; with the lock.
void page_tier::note_huge_page(block& b, huge_page why, uint64_t now) noexcept {
    b.huge = why;
    b.plain = false;
    const uint32_t resident = b.free & ~b.dirty;
    if (resident == 0)
        return;
    unfile(b);
    add_dirty(b, resident, now);
    file(b);
}

// A free block is about to be taken as a whole; with the lock.
void page_tier::expect_dense(block& b) noexcept {
    if (b.dense == 0 || b.dirty != 0)
        return;
    --b.dense;
    b.to_fill = true;
}

// Without the lock: the blocks are the caller's.
void page_tier::fill_taken(const page_run& run, slice_count length) noexcept {
    const uintptr_t end = run.base + length.bytes();
    for (uintptr_t at = align_up(run.base, block_size); at + block_size <= end; at += block_size) {
        block& b = *map_->block_of(at);
        if (!b.to_fill)
            continue;
        b.to_fill = false;
        if (settings_->huge_pages && source_->now_ms() >= no_fill_until_ms_)
            fill(b);
        else if (limits_->has_room(0))
            b.filled = source_->populate(b.base, block_size);
    }
}

// All of a block is about to be purged; without the lock, its slices are ours.
uint8_t page_tier::density_of(const block& b) const noexcept {
    return source_->all_in_memory(b.base, block_size) ? fills_a_proof : 0;
}

} // namespace lowtide
