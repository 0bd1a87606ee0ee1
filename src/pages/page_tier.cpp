#include "pages/page_tier.h"

#include "os/generation.h"
#include "os/thread.h"

namespace lowtide {

// ---- lock and repair

bool page_tier::lock(bool nested) noexcept {
    switch (mutex_.lock(nested)) {
    case os::acquired::yes:
        // Threads that were purging without the lock when the process forked will not come back either.
        if (purges_.load(std::memory_order_relaxed) != 0 && purges_began_in_ != os::generation() &&
            !lowtide_thread.purging)
            rebuild();
        return true;
    case os::acquired::mine:
        return false;
    case os::acquired::orphaned:
        rebuild();
        return true;
    }
    return false;
}

// A thread that died in a fork may have left lists half linked. The masks are written one at a time and are
// right, but for what that thread was about to take or give: a leak of one run.
void page_tier::rebuild() noexcept {
    for (list<block, by_room>& room : rooms_)
        room.forget();
    dirty_blocks_.forget();
    // What died with its thread while it was purged is free again. But if we are a signal handler that has
    // interrupted such a purge, it may be ours, and goes on: then another time.
    const bool purges_died = !lowtide_thread.purging;
    if (purges_died)
        purges_.store(0, std::memory_order_relaxed);
    committed_ = used_slices_ = dirty_slices_ = surrendered_ = 0;
    for (region* r = first_region_; r != nullptr; r = r->next) {
        for (uint32_t i = 0; i < r->block_count; ++i) {
            block& b = r->blocks[i];
            b.room_place().forget();
            b.age_place().forget();
            if (b.state == block_state::released || b.state == block_state::lost)
                surrendered_ += block_size;
            if (b.state != block_state::committed) {
                b.free = b.dirty = b.purging = 0; // a thread was about to
                note(b);
                continue;
            }
            committed_ += block_size;
            if (purges_died) {
                b.free |= b.purging;
                b.dirty |= b.purging;
                b.purging = 0;
            }
            b.dirty &= b.free;
            used_slices_ += slices_per_block - count_bits(b.free | b.purging);
            dirty_slices_ += count_bits(b.dirty);
            file(b);
            if (b.dirty != 0)
                dirty_blocks_.push_back(b);
        }
    }
}

// ---- the lists of blocks by room

// After each change of its masks, and when it has been committed.
void page_tier::file(block& b) noexcept {
    note(b);
    b.bucket = 0;
    if (b.free == 0)
        return;
    b.bucket = static_cast<uint8_t>(longest_run(b.free));
    // Resident memory first: a block that would have to be faulted in waits at the end.
    if (b.dirty != 0)
        rooms_[b.bucket].push_front(b);
    else
        rooms_[b.bucket].push_back(b);
}

void page_tier::unfile(block& b) noexcept {
    if (b.room_place().linked())
        b.room_place().unlink();
}

// Takes free slices out of a block; true when all of them are known to be zero.
bool page_tier::take(block& b, uint32_t slices) noexcept {
    const uint32_t dirty = b.dirty & slices;
    unfile(b);
    b.free &= ~slices;
    b.dirty &= ~slices;
    b.thin &= ~slices;
    file(b);
    if (dirty != 0 && b.dirty == 0)
        b.age_place().unlink();
    dirty_slices_ -= count_bits(dirty);
    set_used(used_slices_ + count_bits(slices));
    return dirty == 0;
}

void page_tier::give(block& b, uint32_t slices, bool clean, uint64_t now) noexcept {
    unfile(b);
    b.free |= slices;
    b.settled = false;
    set_used(used_slices_ - count_bits(slices));
    if (!clean)
        add_dirty(b, slices, now);
    file(b);
}

// Free slices of a block that may be in memory. It is in no list of rooms in the meantime.
void page_tier::add_dirty(block& b, uint32_t slices, uint64_t now) noexcept {
    b.dirty |= slices;
    dirty_slices_ += count_bits(slices);
    b.last_freed_ms = now;
    if (b.age_place().linked())
        b.age_place().unlink();
    dirty_blocks_.push_back(b);
}

void page_tier::set_state(block& b, block_state state) noexcept {
    b.state = state;
    note(b);
}

void page_tier::note(const block& b) noexcept {
    const uint32_t index = b.home->index_of(b);
    b.home->groups[index / block_group::size].note(index % block_group::size, b);
}

void page_tier::remember_peak() noexcept {
    if (used_slices_ > peak_now_)
        peak_now_ = used_slices_;
}

// ---- taking runs

page_run page_tier::allocate(slice_count length, size_t alignment, run_use use) noexcept {
    if (length.n == 0 || !lock())
        return {};
    block* began = nullptr;
    bool forbidden = false;
    const page_run run =
        length.n <= slices_per_block
            ? allocate_small(length.n, static_cast<unsigned>(divide_up(alignment, slice_size)), began,
                             forbidden)
            : allocate_large(length, forbidden);
    remember_peak();
    if (run.base == 0)
        space_is_short_ |= !forbidden;
    const bool fills = began != nullptr && use == run_use::dense && is_large() && grows_fast();
    if (is_limited()) [[unlikely]]
        enforce_limit(length);
    unlock();
    if (fills)
        fill(*began);
    if (length.n >= slices_per_block && run.base != 0)
        fill_taken(run, length);
    return run;
}

// A bit for each slice of a block that has this alignment, a power of two up to the block.
constexpr uint32_t places_aligned_to(unsigned slices) {
    return static_cast<uint32_t>(~uint32_t{0} / ((uint64_t{1} << slices) - 1));
}
static_assert(places_aligned_to(1) == ~uint32_t{0} && places_aligned_to(8) == 0x01010101 &&
              places_aligned_to(32) == 1);

// The bucket of the shortest sufficient run holds the blocks that are hardest to use for anything else;
// within it the fullest of the first few, so that emptier blocks get to drain. `resident`: only runs that are
// dirty throughout.
block* page_tier::fullest_with(unsigned slices, uint32_t places, bool resident) noexcept {
    constexpr int looked_at = 8;
    for (unsigned bucket = slices; bucket < bucket_count; ++bucket) {
        block* best = nullptr;
        uint32_t best_free = slices_per_block + 1;
        int looked = 0;
        for (block* b = rooms_[bucket].front(); b != nullptr && looked < looked_at;
             b = rooms_[bucket].after(*b), ++looked) {
            if ((run_starts(resident ? b->dirty : b->free, slices) & places) == 0)
                continue;
            const uint32_t free = count_bits(b->free);
            if (free < best_free) {
                best = b;
                best_free = free;
            }
        }
        if (best != nullptr)
            return best;
    }
    return nullptr;
}

// Of the `starts` of runs of so many slices, the lowest of those where the most are dirty: the others would
// have to be faulted in.
static unsigned most_resident(const block& b, uint32_t starts, unsigned slices) {
    auto best = static_cast<unsigned>(__builtin_ctz(starts));
    uint32_t most = 0;
    if (b.dirty == 0)
        return best;
    for (; starts != 0 && most != slices; starts &= starts - 1) {
        const auto first = static_cast<unsigned>(__builtin_ctz(starts));
        const uint32_t dirty = count_bits(b.dirty & run_mask(first, slices));
        if (dirty > most) {
            most = dirty;
            best = first;
        }
    }
    return best;
}

// `began` is the block, if nothing of it was in memory.
page_run page_tier::allocate_small(unsigned slices, unsigned alignment_slices, block*& began,
                                   bool& forbidden) noexcept {
    const uint32_t places = places_aligned_to(alignment_slices);
    block* b = dirty_slices_ < slices ? nullptr : fullest_with(slices, places, true);
    if (b == nullptr)
        b = fullest_with(slices, places, false);
    if (b == nullptr)
        b = ready_block();
    if (b == nullptr)
        return {};
    began = b->clean() ? b : nullptr;
    const unsigned first = most_resident(*b, run_starts(b->free, slices) & places, slices);
    forbidden = !may_take(*b, run_mask(first, slices));
    if (forbidden) [[unlikely]]
        return {};
    if (slices == slices_per_block)
        expect_dense(*b);
    const bool thin_end = (b->thin >> (first + slices - 1) & 1) != 0;
    const bool zeroed = take(*b, run_mask(first, slices));
    return {b->base + slice_count{first}.bytes(), zeroed, thin_end, b->plain};
}

// What is dirty is held already.
bool page_tier::may_take_within_limit(const block& b, uint32_t slices) const noexcept {
    return limits_->allows(slice_count{count_bits(slices & ~b.dirty)}.bytes());
}

// More than a block: free slices in a row, from the end of one block to the beginning of another.
page_run page_tier::allocate_large(slice_count length, bool& forbidden) noexcept {
    uintptr_t base = dirty_slices_ < length.n ? 0 : find_dirty(length.n);
    if (base == 0)
        base = find_most_dirty(length.n);
    for (bool retry = base == 0; retry;) {
        base = find_any(length.n);
        if (base == 0 && add_region(align_up(length.bytes(), block_size)))
            base = find_any(length.n);
        if (base == 0 || !make_ready(base, length.n, retry))
            return {};
    }
    forbidden = !limits_->allows(slice_count{length.n - count_dirty(base, length.n)}.bytes());
    if (forbidden)
        return {};
    bool zeroed = true;
    for_each_part(base, length.n, [&](block& b, uint32_t slices) {
        if (slices == ~uint32_t{0})
            expect_dense(b);
        zeroed &= take(b, slices);
    });
    return {base, zeroed};
}

// The lowest block that has no memory yet, made ready; null when there is none to be had.
block* page_tier::ready_block() noexcept {
    for (;;) {
        block* b = find_without_memory();
        if (b == nullptr && add_region(block_size))
            b = find_without_memory();
        if (b == nullptr || make_ready(*b))
            return b;
        if (b->state != block_state::lost)
            return nullptr;
    }
}

// Commits what [base, base + slices) needs. On failure `retry` says whether another place may do.
bool page_tier::make_ready(uintptr_t base, uint32_t slices, bool& retry) noexcept {
    retry = false;
    const uintptr_t end = base + slice_count{slices}.bytes();
    for (uintptr_t at = align_down(base, block_size); at < end; at += block_size) {
        block& b = *map_->block_of(at);
        if (make_ready(b))
            continue;
        retry = b.state == block_state::lost;
        // The blocks before it must not use up what a limit leaves for another place.
        for (uintptr_t undo = align_down(base, block_size); undo < at; undo += block_size)
            if (map_->block_of(undo)->clean())
                give_up(*map_->block_of(undo));
        return retry;
    }
    return true;
}

bool page_tier::make_ready(block& b) noexcept {
    if (b.state == block_state::committed)
        return true;
    const bool released = b.state == block_state::released;
    if (released) {
        const os::claimed answer = source_->claim(b.base, block_size);
        if (answer == os::claimed::taken)
            set_state(b, block_state::lost); // a new reservation will do instead
        if (answer != os::claimed::yes)
            return false;
    } else if (!source_->commit(b.base, block_size)) {
        return false;
    }
    if (released)
        surrendered_ -= block_size;
    b.state = block_state::committed;
    b.free = ~uint32_t{0};
    b.dirty = 0;
    b.plain = committed_ < small_process || !settings_->huge_pages;
    if (b.plain)
        source_->no_more_huge_pages(b.base, block_size);
    __atomic_store_n(&committed_, committed_ + block_size, __ATOMIC_RELAXED);
    file(b);
    return true;
}

// A reservation of `bytes` with its records, or null.
region* page_tier::reserve_region(size_t bytes) noexcept {
    const uintptr_t base = source_->reserve(bytes, block_size);
    if (base == 0)
        return nullptr;
    const auto count = static_cast<uint32_t>(bytes / block_size);
    const size_t groups_at = align_up(sizeof(region) + count * sizeof(block), alignof(block_group));
    const size_t group_bytes = divide_up(count, block_group::size) * sizeof(block_group);
    void* record = nullptr;
    if (map_->cover(*source_, base, bytes))
        record = records_->allocate(groups_at + group_bytes, true);
    if (record == nullptr) {
        source_->release(base, bytes);
        return nullptr;
    }
    auto* fresh = static_cast<region*>(record);
    fresh->base = base;
    fresh->block_count = count;
    fresh->groups = reinterpret_cast<block_group*>(reinterpret_cast<uintptr_t>(record) + groups_at);
    return fresh;
}

bool page_tier::add_region(size_t min_bytes) noexcept {
    size_t bytes = first_region;
    if (reserved_ != 0) { // the first is small anyway, and at the start every page and call counts
        const size_t share = source_->space_limit() / region_share;
        const size_t most = share < largest_region ? share : largest_region;
        bytes = align_down(reserved_ > most ? most : reserved_, block_size);
    }
    bytes = bytes < min_bytes ? min_bytes : bytes;
    region* fresh = nullptr;
    // There may be room for less, or none for the records beside it.
    while ((fresh = reserve_region(bytes)) == nullptr && bytes > min_bytes)
        bytes = align_up(bytes / 2 < min_bytes ? min_bytes : bytes / 2, block_size);
    if (fresh == nullptr)
        return false;
    for (uint32_t i = 0; i < fresh->block_count; ++i) {
        block& b = fresh->blocks[i];
        b.base = fresh->base + i * block_size;
        b.home = fresh;
        if (block* before = map_->block_of(b.base))
            set_state(*before, block_state::lost); // surrendered by another region: a place has one record
        map_->set_block(b.base, &b);
        note(b);
    }
    (last_region_ == nullptr ? first_region_ : last_region_->next) = fresh;
    last_region_ = fresh;
    reserved_ += bytes;
    return true;
}

page_run page_tier::allocate_aligned(slice_count length, size_t alignment) noexcept {
    if (alignment <= slice_size || (alignment <= block_size && length.n <= slices_per_block))
        return allocate(length, alignment);
    const slice_count longer{length.n + static_cast<uint32_t>(alignment >> slice_shift) - 1};
    page_run run = allocate(longer);
    if (run.base == 0)
        return run;
    const uintptr_t base = align_up(run.base, alignment);
    const auto front = static_cast<uint32_t>((base - run.base) >> slice_shift);
    const uint32_t behind = longer.n - length.n - front;
    // A signal handler that interrupted this tier wouldn't have got the run.
    if (front != 0)
        static_cast<void>(deallocate(run.base, {front}, {.clean = run.zeroed}));
    if (behind != 0)
        static_cast<void>(deallocate(base + length.bytes(), {behind}, {.clean = run.zeroed}));
    run.base = base;
    return run;
}

// ---- giving runs back

bool page_tier::deallocate(uintptr_t base, slice_count length, memory_left left) noexcept {
    if (!lock())
        return false;
    const uint64_t now = left.clean ? 0 : source_->now_ms();
    for_each_part(base, length.n, [&](block& b, uint32_t slices) { give(b, slices, left.clean, now); });
    if (left.thin_end)
        note_thin_end(base + length.bytes() - slice_size);
    enforce_cap();
    unlock();
    return true;
}

// Of a run that has just been given back; with the lock.
void page_tier::note_thin_end(uintptr_t slice) noexcept {
    block& b = *map_->block_of(slice);
    b.thin |= run_mask(static_cast<unsigned>((slice & (block_size - 1)) >> slice_shift), 1) & b.dirty;
}

bool page_tier::extend(uintptr_t base, slice_count length, slice_count more) noexcept {
    uintptr_t at = base + length.bytes();
    const uintptr_t end = at + more.bytes();
    // Within one block: beyond it lies another block's record, and a run that long gains nothing by staying.
    if (more.n == 0 || align_down(at, block_size) != align_down(end - 1, block_size) ||
        (at & (block_size - 1)) == 0)
        return false;
    if (!lock())
        return false;
    block& b = *map_->block_of(at);
    const uint32_t slices = run_mask(static_cast<unsigned>((at & (block_size - 1)) >> slice_shift), more.n);
    const bool free = (b.free & slices) == slices && may_take(b, slices);
    if (free)
        take(b, slices);
    remember_peak();
    if (is_limited()) [[unlikely]]
        enforce_limit(more);
    unlock();
    return free;
}

page_counts page_tier::counts() noexcept {
    page_counts c;
    if (!lock())
        return c;
    c.reserved_bytes = reserved_ - surrendered_;
    c.committed_bytes = committed_;
    c.used_bytes = used_slices_ * slice_size;
    c.dirty_bytes = dirty_slices_ * slice_size;
    c.purged_bytes = purged_bytes_;
    c.purge_calls = purge_calls_;
    c.collapsed_blocks = search_.collapsed;
    unlock();
    return c;
}

} // namespace lowtide
