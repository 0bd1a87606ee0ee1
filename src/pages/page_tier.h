// The page tier: runs of slices out of 2 MiB blocks out of reservations, and their return to the system
// (reclaim.cpp). There is no top: any free run can be reused, and returned, whatever its neighbours do.
//
// One lock guards it all; it is held for a few hundred instructions, or one mprotect when a new block is
// needed, and never while memory is purged. Lock order: shard class, then this, then metadata.
#pragma once

#include "base/options.h"
#include "os/mutex.h"
#include "pages/block.h"
#include "pages/ceiling.h"
#include "pages/metadata.h"
#include "pages/page_map.h"
#include "pages/page_source.h"
#include "pages/stretches.h"

namespace lowtide {

struct page_run {
    uintptr_t base = 0; // 0: none
    bool zeroed = false;
    // Of at most a block:
    bool thin_end = false; // the end of its last slice isn't in memory
    bool plain = true;     // there is no huge page here, nor does one come
};

// What is known of memory that is given back.
struct memory_left {
    bool clean = false;    // it has been purged already
    bool thin_end = false; // the end of its last slice isn't in memory
};

// What is known of how a run will be used.
enum class run_use : uint8_t {
    unknown,
    dense, // all of it is going to be touched
};

struct page_counts {
    size_t reserved_bytes = 0;  // address space
    size_t committed_bytes = 0; // of it, readable and writable
    size_t used_bytes = 0;      // held by slabs and runs
    size_t dirty_bytes = 0;     // free, but may be in memory
    size_t purged_bytes = 0;    // given back so far, in all
    size_t purge_calls = 0;
    size_t collapsed_blocks = 0; // of which huge pages have been made so far
};

// How far the search for blocks to make huge pages of has come (collapse.cpp).
struct collapse_search {
    region* in = nullptr; // null: a round is over
    uint32_t index = 0;
    bool found = false; // in this round: a block to look at again in the next
    bool works = false; // the program
    uint64_t round_began_ms = 0;
    uint32_t vain_rounds = 0; // in a row: there were settled blocks, and none became a huge page
    bool wanting = false;     // in this round: a settled block that couldn't
    bool done = false;        // in this round: one that did
    uint64_t seen_ms = 0;
    uint64_t seen_cpu_us = 0;
    int64_t credit_us = 0;
    uint64_t not_before_ms = 0;
    uint32_t failures = 0; // in a row
    size_t collapsed = 0;
};

// How far a walk through all blocks has come.
struct block_walk {
    const region* in = nullptr; // null: it hasn't begun
    uint32_t index = 0;
};

class page_tier {
public:
    constexpr page_tier(const page_source* source, page_map* map, metadata* records, const options* settings,
                        ceiling* limits)
        : source_(source), map_(map), records_(records), settings_(settings), limits_(limits) {}

    // `length` slices (any number up to a few GiB), aligned to `alignment` (a power of two up to block_size;
    // not with more than a block). The page map has leaves for it. Base 0 when there is no memory, the hard
    // limit forbids it, or a signal handler interrupted this tier.
    [[nodiscard]] page_run allocate(slice_count length, size_t alignment = slice_size,
                                    run_use use = run_use::unknown) noexcept;

    // The same with any power of two for alignment: the part of a longer run that has it.
    [[nodiscard, LOWTIDE_RARE]] page_run allocate_aligned(slice_count length, size_t alignment) noexcept;

    // False, and nothing has happened, when a signal handler interrupted this tier.
    [[nodiscard]] bool deallocate(uintptr_t base, slice_count length, memory_left left = {}) noexcept;

    // Takes the `more` slices behind [base, base+length) if all are free.
    [[nodiscard, LOWTIDE_RARE]] bool extend(uintptr_t base, slice_count length, slice_count more) noexcept;

    // For whoever holds a run: purges whole pages of it. False when the system refuses.
    [[nodiscard, gnu::cold]] bool purge_within(uintptr_t base, size_t bytes) noexcept;
    // May the block that `base` lies in be one huge page, of which nothing has gone back?
    [[nodiscard, gnu::cold]] bool in_huge_page(uintptr_t base) noexcept;

    // For whoever holds a run of whole blocks: the kernel may have huge pages there, from their first touch
    // on.
    [[gnu::cold]] void allow_huge_pages(uintptr_t base, slice_count length) noexcept;
    // For whoever holds a run: the blocks that it lies in have small pages only, from now on.
    [[gnu::cold]] void keep_small_pages(uintptr_t base, slice_count length) noexcept;
    // Purges a run of whole blocks, and there are no huge pages any more. False when the system refuses.
    [[nodiscard, gnu::cold]] bool return_huge_pages(uintptr_t base, slice_count length) noexcept;

    // Purges what has been free for longer than the decay time; cheap when there is nothing to do.
    void tick() noexcept;

    // Purges what is more than may wait, after that has been changed.
    [[gnu::cold]] void keep_cap() noexcept;

    // Makes huge pages of blocks that have been in use throughout for long, as far as that costs the program
    // little. True: there may be more to do, and the program is at work. For one thread, while nobody else
    // returns what is free (collapse.cpp).
    [[nodiscard, gnu::cold]] bool collapse_dense() noexcept;

    // Purges all free memory; the bytes that went back.
    [[gnu::cold]] size_t purge_all() noexcept;

    // Gives the address space of free blocks back, so that a large mapping or another limit's user can have
    // it. The bytes.
    [[gnu::cold]] size_t surrender() noexcept;

    // When another thread has free memory on its way to the system: waits until that is done (for a while),
    // and answers true.
    [[gnu::cold]] bool await_purges() noexcept;

    [[nodiscard, gnu::cold]] page_counts counts() noexcept;

    // Bytes that are readable and writable, without the lock. They grow when nothing free would do.
    [[nodiscard]] size_t committed_bytes() const noexcept {
        return __atomic_load_n(&committed_, __ATOMIC_RELAXED);
    }

    // Is there a soft limit?
    [[nodiscard]] bool is_limited() const noexcept { return limits_->soft() != SIZE_MAX; }

    // Bytes held by slabs and runs, without the lock.
    [[nodiscard]] size_t used_bytes() const noexcept {
        return __atomic_load_n(&used_slices_, __ATOMIC_RELAXED) * slice_size;
    }

    // Calls visit(span&) for every span that lies in blocks, under the lock. For repairs: a shard class may
    // be locked.
    template <typename Visit>
    void for_each_span(Visit visit) noexcept;

    // Calls visit(const block&) for the next block with memory, under the lock: whatever the map says of its
    // used slices has a record as long as that lasts. False, and no call, behind the last, and where a signal
    // handler has interrupted this tier.
    template <typename Visit>
    [[nodiscard]] bool look_at_next(block_walk& walk, Visit visit) noexcept;

private:
    static constexpr unsigned bucket_count = slices_per_block + 1;
    // Reservations double the address space, so that there are few: 16 MiB keeps a small program small.
    static constexpr size_t first_region = 16 * mebibyte;
    static constexpr size_t largest_region = 16384 * mebibyte;
    // So much at the start has small pages only: where huge pages come unasked, each process would have 2 MiB
    // at least. Not worth finding out whether they do.
    static constexpr size_t small_process = 4 * mebibyte;
    // Under a limit on address space a reservation is at most this share of it: the rest is for stacks,
    // files and libraries.
    static constexpr size_t region_share = 8;

    bool lock(bool nested = false) noexcept;
    void unlock() noexcept {
        limits_->set_in_blocks((used_slices_ + dirty_slices_) * slice_size);
        mutex_.unlock();
    }
    [[gnu::cold]] void rebuild() noexcept;

    page_run allocate_small(unsigned slices, unsigned alignment_slices, block*& began,
                            bool& forbidden) noexcept;
    [[LOWTIDE_RARE]] page_run allocate_large(slice_count length, bool& forbidden) noexcept;
    block* fullest_with(unsigned slices, uint32_t places, bool resident) noexcept;
    [[nodiscard]] bool may_take(const block& b, uint32_t slices) const noexcept {
        return limits_->hard() == SIZE_MAX || may_take_within_limit(b, slices);
    }
    [[nodiscard, gnu::cold]] bool may_take_within_limit(const block& b, uint32_t slices) const noexcept;
    block* ready_block() noexcept;
    block* find_without_memory() noexcept;
    template <typename Visit>
    void for_each_part(uintptr_t at, uint32_t slices, Visit visit) const noexcept;
    template <typename Visit>
    void for_each_stretch(stretch_of kind, uint32_t wanted, Visit visit) noexcept;
    [[LOWTIDE_RARE]] uintptr_t find_dirty(uint32_t wanted) noexcept;
    [[LOWTIDE_RARE]] uintptr_t find_most_dirty(uint32_t wanted) noexcept;
    [[LOWTIDE_RARE]] uintptr_t find_any(uint32_t wanted) noexcept;
    [[LOWTIDE_RARE]] uint32_t count_dirty(uintptr_t at, uint32_t slices) const noexcept;
    [[LOWTIDE_RARE]] bool make_ready(uintptr_t base, uint32_t slices, bool& retry) noexcept;
    bool make_ready(block& b) noexcept;
    [[gnu::cold]] bool give_up(block& b) noexcept;
    void set_used(size_t slices) noexcept { __atomic_store_n(&used_slices_, slices, __ATOMIC_RELAXED); }
    region* reserve_region(size_t bytes) noexcept;
    bool add_region(size_t min_bytes) noexcept;
    bool take(block& b, uint32_t slices) noexcept;
    void give(block& b, uint32_t slices, bool clean, uint64_t now) noexcept;
    [[LOWTIDE_RARE]] void note_thin_end(uintptr_t slice) noexcept;
    void add_dirty(block& b, uint32_t slices, uint64_t now) noexcept;
    void file(block& b) noexcept;
    void unfile(block& b) noexcept;
    void set_state(block& b, block_state state) noexcept;
    static void note(const block& b) noexcept;
    void remember_peak() noexcept;

    // growth.cpp
    // Smaller processes needn't remember how fast they grow.
    [[nodiscard]] bool is_large() const noexcept { return used_slices_ * slice_size >= 8 * mebibyte; }
    [[nodiscard]] bool grows_fast() noexcept;
    [[LOWTIDE_RARE]] void fill(block& b) noexcept;
    void note_huge_page(block& b, huge_page why, uint64_t now) noexcept;
    [[LOWTIDE_RARE]] void expect_dense(block& b) noexcept;
    [[LOWTIDE_RARE]] void fill_taken(const page_run& run, slice_count length) noexcept;
    [[nodiscard, LOWTIDE_RARE]] uint8_t density_of(const block& b) const noexcept;

    // collapse.cpp
    [[nodiscard]] block* next_settled(uint64_t now) noexcept;
    bool collapse(block& b) noexcept;

    // reclaim.cpp
    [[nodiscard]] size_t allowed_dirty() const noexcept;
    [[nodiscard, LOWTIDE_RARE, gnu::noinline]] size_t dirty_within_limits() const noexcept;
    void enforce_cap() noexcept;
    [[LOWTIDE_RARE]] void enforce_limit(slice_count taken) noexcept;
    [[LOWTIDE_RARE]] void return_unattended() noexcept;
    void age_peaks(uint64_t now) noexcept;
    [[nodiscard]] bool is_refused() const noexcept;
    [[LOWTIDE_RARE]] size_t purge_oldest(size_t keep, uint64_t freed_before) noexcept;
    [[LOWTIDE_RARE]] size_t purge_block(block& b) noexcept;
    [[nodiscard, LOWTIDE_RARE]] bool may_be_huge(const block& b) const noexcept;
    [[gnu::cold]] void set_huge_pages(uintptr_t base, slice_count length, bool allowed) noexcept;
    [[nodiscard, LOWTIDE_RARE]] bool forbid_huge_pages(block& b, bool leaves_some) noexcept;

    const page_source* source_;
    page_map* map_;
    metadata* records_;
    const options* settings_;
    ceiling* limits_;
    os::mutex mutex_;
    list<block, by_room> rooms_[bucket_count]{};
    list<block, by_age> dirty_blocks_{}; // oldest free first
    region* first_region_ = nullptr;
    region* last_region_ = nullptr;
    size_t reserved_ = 0;    // in all regions
    size_t surrendered_ = 0; // of that, what was given back
    size_t committed_ = 0;
    size_t used_slices_ = 0;
    size_t dirty_slices_ = 0;
    size_t purged_bytes_ = 0;
    size_t purge_calls_ = 0;
    // The demand window, in two halves: the most slices used in this half and in the one before.
    size_t peak_now_ = 0;
    size_t peak_before_ = 0;
    uint64_t half_began_ms_ = 0;
    std::atomic<uint64_t> next_tick_ms_{0};
    uint64_t purge_refused_until_ms_ = 0;
    size_t unattended_credit_ = 0; // bytes
    uint64_t unattended_seen_ms_ = 0;
    bool space_is_short_ = false; // a request was refused once
    // When the last blocks were begun that are going to be dense, in turn.
    static constexpr unsigned begun_noted = 4;
    uint64_t begun_ms_[begun_noted]{};
    unsigned begun_ = 0;
    uint64_t no_fill_until_ms_ = 0;
    uint32_t slow_fills_ = 0; // in a row
    collapse_search search_;
    // Blocks whose slices are on their way to the system now, and the generation that this began in.
    std::atomic<uint32_t> purges_{0};
    uint32_t purges_began_in_ = 0;
};

// Calls visit(block, mask) for what each block has of the slices in a row from `at` on.
// Inlined, so that what few processes need has no part among what all do.
template <typename Visit>
[[gnu::always_inline]] inline void page_tier::for_each_part(uintptr_t at, uint32_t slices,
                                                            Visit visit) const noexcept {
    while (slices != 0) {
        const auto first = static_cast<unsigned>((at & (block_size - 1)) >> slice_shift);
        const uint32_t here = slices < slices_per_block - first ? slices : slices_per_block - first;
        visit(*map_->block_of(at), run_mask(first, here));
        at += slice_count{here}.bytes();
        slices -= here;
    }
}

template <typename Visit>
void page_tier::for_each_span(Visit visit) noexcept {
    if (!lock(true))
        return;
    for (const region* r = first_region_; r != nullptr; r = r->next) {
        for (uint32_t i = 0; i < r->block_count; ++i) {
            const block& b = r->blocks[i];
            if (b.state != block_state::committed)
                continue;
            for (uint32_t slice = 0; slice < slices_per_block; ++slice) {
                if ((b.free >> slice & 1) != 0)
                    continue;
                const uintptr_t at = b.base + slice_count{slice}.bytes();
                span* s = map_->find(at);
                if (s != nullptr && s->base == at)
                    visit(*s);
            }
        }
    }
    unlock();
}

template <typename Visit>
bool page_tier::look_at_next(block_walk& walk, Visit visit) noexcept {
    if (!lock())
        return false;
    if (walk.in == nullptr)
        walk.in = first_region_;
    const block* found = nullptr;
    while (walk.in != nullptr && found == nullptr) {
        if (walk.index == walk.in->block_count) {
            if (walk.in->next == nullptr)
                break;
            walk = {walk.in->next, 0};
            continue;
        }
        const block& b = walk.in->blocks[walk.index++];
        if (b.state == block_state::committed)
            found = &b;
    }
    if (found != nullptr)
        visit(*found);
    unlock();
    return found != nullptr;
}

} // namespace lowtide
