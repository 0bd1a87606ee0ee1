// The tide, first part: how free memory goes back to the system.
//
// A cap on dirty memory, enforced when memory is freed: max(dirty_cap, used/dirty_share), and beside it as
// much as the program needed more within the last demand window: what is about to be reused isn't purged
// (a refault costs 3 us a page, a purge 0.35-0.5).
//
// In a process that was refused memory once, nothing is kept for the demand window, and what is purged gives
// up its address space too: others there (stacks, files) need it as much.
//
// Under a soft limit (pages/ceiling.h) as much as that leaves beside what is in use, enforced when memory is
// taken as well. Where nobody would return it later, all of it once little is in use.
//
// Decay: what nobody has reused for the decay time goes back at the next slow path, or by the background
// thread.
//
// purge_all() and surrender() on request: malloc_trim, and when memory has run out.
//
// Purging is done without the lock: the slices are nobody's in the meantime.
#include "os/generation.h"
#include "os/machine.h"
#include "os/thread.h"
#include "pages/page_tier.h"

#include <bit>

namespace lowtide {

namespace {

constexpr uint64_t tick_every_ms = 100;
// After the kernel has refused MADV_DONTNEED (locked memory, a seccomp filter), how long not to ask again.
constexpr uint64_t refusal_ms = 1000;
// Of what nobody attends to so much goes back at once, at most, and in a millisecond. A program that will
// need it again pays a tenth of a second, and then seven hundredths of its time.
constexpr size_t most_unattended = 128 * mebibyte;
constexpr size_t unattended_a_ms = 64 * kibibyte;

} // namespace

void page_tier::age_peaks(uint64_t now) noexcept {
    const uint64_t half = settings_->window_ms / 2;
    if (now < half_began_ms_ + half) // no difference: another thread may have come with a later time
        return;
    peak_before_ = now - half_began_ms_ < 2 * half ? peak_now_ : used_slices_;
    peak_now_ = used_slices_;
    half_began_ms_ = now;
}

size_t page_tier::allowed_dirty() const noexcept {
    const size_t share = used_slices_ / settings_->dirty_share;
    const size_t floor = settings_->dirty_cap / slice_size;
    const size_t cap = share > floor ? share : floor;
    const size_t peak = peak_now_ > peak_before_ ? peak_now_ : peak_before_;
    const size_t demand = peak > used_slices_ && !space_is_short_ ? peak - used_slices_ : 0;
    if (!is_limited()) [[likely]]
        return cap + demand;
    const size_t limit = dirty_within_limits();
    return cap + demand < limit ? cap + demand : limit;
}

// In slices.
size_t page_tier::dirty_within_limits() const noexcept {
    limits_->set_in_blocks((used_slices_ + dirty_slices_) * slice_size);
    return limits_->dirty_allowed(dirty_slices_ * slice_size) / slice_size;
}

// After memory has been taken; with the lock, which may be dropped and taken again.
void page_tier::enforce_limit(slice_count taken) noexcept {
    limits_->note_taken(taken.bytes());
    const size_t allowed = dirty_within_limits();
    if (dirty_slices_ > allowed)
        purge_oldest(allowed, UINT64_MAX);
}

// Less is in use than is free, and the process may make no call for long: what is free goes back now. For a
// program that will do so again and again not more in a second than costs it a few hundredths of that. With
// the lock, which may be dropped.
void page_tier::return_unattended() noexcept {
    const size_t unattended = limits_->dirty_unattended();
    if (dirty_slices_ * slice_size <= unattended || used_slices_ > dirty_slices_)
        return;
    const uint64_t now = source_->now_ms();
    const size_t earned = unattended_credit_ + (now - unattended_seen_ms_) * unattended_a_ms;
    unattended_credit_ = earned < most_unattended ? earned : most_unattended;
    unattended_seen_ms_ = now;
    if (unattended_credit_ < block_size) // as much as goes back at once
        return;
    const size_t credit = unattended_credit_ / block_size * slices_per_block;
    const size_t bytes = purge_oldest(dirty_slices_ > credit ? dirty_slices_ - credit : 0, UINT64_MAX);
    unattended_credit_ -= bytes < unattended_credit_ ? bytes : unattended_credit_;
}

// Called with the lock, which it may drop and take again.
void page_tier::enforce_cap() noexcept {
    if (limits_->dirty_unattended() != SIZE_MAX) [[unlikely]]
        return_unattended();
    if (dirty_slices_ * slice_size <= settings_->dirty_cap && settings_->decay_ms != 0 &&
        (!is_limited() || dirty_slices_ <= dirty_within_limits()))
        return;
    age_peaks(source_->now_ms());
    const size_t allowed = settings_->decay_ms == 0 ? 0 : allowed_dirty();
    if (dirty_slices_ > allowed)
        purge_oldest(allowed - allowed / 64, UINT64_MAX); // a little less, so that not every free comes here
}

void page_tier::tick() noexcept {
    const uint64_t now = source_->now_ms();
    uint64_t due = next_tick_ms_.load(std::memory_order_relaxed);
    if (now < due ||
        !next_tick_ms_.compare_exchange_strong(due, now + tick_every_ms, std::memory_order_relaxed))
        return;
    if (due != 0) // not at the start, where every page and call counts
        limits_->call_for_attention();
    if (settings_->decay_ms < 0 || !lock())
        return;
    age_peaks(now);
    const auto decay = static_cast<uint64_t>(settings_->decay_ms);
    if (now > decay && dirty_slices_ != 0)
        purge_oldest(0, now - decay);
    unlock();
}

void page_tier::keep_cap() noexcept {
    if (!lock())
        return;
    enforce_cap();
    unlock();
}

size_t page_tier::purge_all() noexcept {
    if (!lock())
        return 0;
    purge_refused_until_ms_ = 0;
    const size_t before = purged_bytes_;
    purge_oldest(0, UINT64_MAX);
    const size_t after = purged_bytes_;
    unlock();
    return after - before;
}

// Has the system refused to take memory back, a short while ago?
bool page_tier::is_refused() const noexcept {
    return purge_refused_until_ms_ != 0 && source_->now_ms() < purge_refused_until_ms_;
}

// Purges the blocks that have been left alone the longest until at most `keep` slices are dirty; only blocks
// whose last free was before `freed_before`. With the lock, which is dropped in between.
size_t page_tier::purge_oldest(size_t keep, uint64_t freed_before) noexcept {
    if (is_refused())
        return 0;
    size_t bytes = 0;
    while (dirty_slices_ > keep) {
        block* oldest = dirty_blocks_.front();
        if (oldest == nullptr || oldest->last_freed_ms >= freed_before)
            break;
        const size_t purged = purge_block(*oldest);
        if (purged == 0)
            break;
        bytes += purged;
    }
    return bytes;
}

// With the lock.
bool page_tier::may_be_huge(const block& b) const noexcept {
    return b.huge != huge_page::none || (!b.plain && source_->huge_pages_come_unasked());
}

// Pages of the block are about to go back; others stay, or none do. Does the kernel have to be told first
// that it may not have a huge page here? Else it would make one of what stays (khugepaged), holes and all. Of
// nothing it makes none, but where it was told that it may, the next use of the block would begin with one.
// With the lock.
bool page_tier::forbid_huge_pages(block& b, bool leaves_some) noexcept {
    if (!may_be_huge(b))
        return false;
    const bool unasked = source_->huge_pages_come_unasked();
    const bool needed = unasked ? leaves_some && !b.plain : b.huge == huge_page::advised;
    b.huge = huge_page::none;
    b.plain |= needed;
    return needed;
}

// With the lock, which is dropped while the system works.
size_t page_tier::purge_block(block& b) noexcept {
    const uint32_t slices = b.dirty;
    const bool leaves_some = !b.empty();
    const uint32_t held = ~(b.free | b.purging);
    const bool splits = held != 0 && may_be_huge(b);
    const bool tells = slices == ~uint32_t{0} && b.huge == huge_page::none && !b.filled;
    b.filled = false;
    const bool needs_advice = forbid_huge_pages(b, leaves_some);
    unfile(b);
    b.age_place().unlink();
    b.free &= ~slices;
    b.dirty = 0;
    b.thin = 0;
    b.purging |= slices;
    file(b);
    dirty_slices_ -= count_bits(slices);
    purges_began_in_ = os::generation();
    purges_.fetch_add(1, std::memory_order_relaxed);
    lowtide_thread.purging = true;
    unlock();

    if (needs_advice)
        source_->no_more_huge_pages(b.base, block_size);
    const uint8_t density = tells ? density_of(b) : 0;
    uint32_t refused = 0;
    size_t calls = 0;
    for (uint32_t left = slices; left != 0; ++calls) {
        const auto first = static_cast<unsigned>(__builtin_ctz(left));
        const auto length = static_cast<unsigned>(std::countr_one(left >> first));
        const uint32_t run = run_mask(first, length);
        if (!source_->purge(b.base + slice_count{first}.bytes(), slice_count{length}.bytes()))
            refused |= run;
        left &= ~run;
    }
    if (splits)
        source_->split_huge_page(b.base + slice_count{static_cast<unsigned>(__builtin_ctz(held))}.bytes());

    // Nobody can hold this lock across the call above but another thread, so it is never `mine` here; a
    // signal handler that interrupts the calls finds it free.
    while (!lock()) {
    }
    lowtide_thread.purging = false;
    purges_.fetch_sub(1, std::memory_order_relaxed);
    unfile(b);
    b.purging &= ~slices;
    b.free |= slices;
    b.dirty |= refused;
    if (tells)
        b.dense = density;
    file(b);
    if (refused != 0) {
        dirty_slices_ += count_bits(refused);
        if (!b.age_place().linked())
            dirty_blocks_.push_back(b);
        purge_refused_until_ms_ = source_->now_ms() + refusal_ms;
    }
    const size_t purged = slice_count{count_bits(slices & ~refused)}.bytes();
    purged_bytes_ += purged;
    purge_calls_ += calls;
    if (space_is_short_ && b.empty())
        give_up(b);
    return refused != 0 ? 0 : purged;
}

// These two may be called with the lock of a size class.

bool page_tier::in_huge_page(uintptr_t base) noexcept {
    if (!lock(true))
        return false;
    const block& b = *map_->block_of(base);
    const bool huge = may_be_huge(b);
    unlock();
    return huge;
}

bool page_tier::purge_within(uintptr_t base, size_t bytes) noexcept {
    if (!lock(true))
        return false;
    block& b = *map_->block_of(base);
    const bool refused = is_refused();
    const bool splits = !refused && may_be_huge(b);
    const bool needs_advice = !refused && forbid_huge_pages(b, true);
    unlock();
    if (refused)
        return false;
    if (needs_advice)
        source_->no_more_huge_pages(b.base, block_size);
    const bool purged = source_->purge(base, bytes);
    if (splits) // something of the block stays, on either side
        source_->split_huge_page(base > b.base ? base - os::page_size() : base + bytes);
    if (!lock(true))
        return purged;
    if (purged) {
        purged_bytes_ += bytes;
        ++purge_calls_;
    } else {
        purge_refused_until_ms_ = source_->now_ms() + refusal_ms;
    }
    unlock();
    return purged;
}

void page_tier::set_huge_pages(uintptr_t base, slice_count length, bool allowed) noexcept {
    for (size_t at = 0; at < length.bytes(); at += block_size) {
        block& b = *map_->block_of(base + at);
        b.huge = allowed ? huge_page::advised : huge_page::none;
        b.plain = !allowed;
    }
}

void page_tier::allow_huge_pages(uintptr_t base, slice_count length) noexcept {
    if (!lock(true))
        return;
    set_huge_pages(base, length, true);
    unlock();
    source_->allow_huge_pages(base, length.bytes());
}

void page_tier::keep_small_pages(uintptr_t base, slice_count length) noexcept {
    for (uintptr_t at = align_down(base, block_size); at < base + length.bytes(); at += block_size) {
        if (!lock(true))
            return;
        block& b = *map_->block_of(at);
        const bool tells = !b.plain;
        b.plain = true;
        b.huge = huge_page::none;
        unlock();
        if (tells)
            source_->no_more_huge_pages(at, block_size);
    }
}

bool page_tier::return_huge_pages(uintptr_t base, slice_count length) noexcept {
    if (!source_->purge(base, length.bytes()))
        return false;
    source_->no_more_huge_pages(base, length.bytes());
    if (!lock(true))
        return true;
    set_huge_pages(base, length, false);
    purged_bytes_ += length.bytes();
    ++purge_calls_;
    unlock();
    return true;
}

bool page_tier::await_purges() noexcept {
    constexpr int patience = 1000; // a purge of a block takes less than a millisecond
    if (purges_.load(std::memory_order_relaxed) == 0 || lowtide_thread.purging)
        return false;
    for (int turn = 0; turn < patience && purges_.load(std::memory_order_relaxed) != 0; ++turn)
        os::yield();
    return true;
}

// Gives the address space of a block that nobody uses back. False, and the block stays what it is, when that
// would be one mapping too many.
bool page_tier::give_up(block& b) noexcept {
    // The record comes first: a child that is forked in between must not use what is gone.
    const block_state before = b.state;
    set_state(b, block_state::released);
    if (!source_->release(b.base, block_size)) {
        set_state(b, before);
        return false;
    }
    if (before == block_state::committed) {
        unfile(b);
        if (b.dirty != 0)
            b.age_place().unlink();
        dirty_slices_ -= count_bits(b.dirty);
        b.free = b.dirty = b.thin = 0;
        b.huge = huge_page::none;
        __atomic_store_n(&committed_, committed_ - block_size, __ATOMIC_RELAXED);
    }
    note(b);
    surrendered_ += block_size;
    return true;
}

size_t page_tier::surrender() noexcept {
    if (!lock())
        return 0;
    size_t bytes = 0;
    for (region* r = first_region_; r != nullptr; r = r->next) {
        for (uint32_t i = 0; i < r->block_count; ++i) {
            block& b = r->blocks[i];
            if (b.state == block_state::lost && map_->block_of(b.base) == &b)
                set_state(b, block_state::released); // perhaps its place is free again
            if (b.state == block_state::reserved || (b.state == block_state::committed && b.empty()))
                bytes += give_up(b) ? block_size : 0;
        }
    }
    unlock();
    return bytes;
}

} // namespace lowtide
