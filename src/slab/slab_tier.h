// The slab tier: objects of one size class out of slabs. A slab's record is out of line: a bitmap says which
// objects are free, and the index of an object comes from a multiplication, which also proves that a pointer
// is the start of one. Nothing is ever written into memory that this tier calls free, so pages of it can go
// back.
//
// Each size class has its own lock. It refills from one slab at a time, the fullest first, so that sparse
// ones drain.
#pragma once

#include "base/list.h"
#include "os/mutex.h"
#include "pages/metadata.h"
#include "pages/page_tier.h"
#include "pages/span.h"
#include "slab/span_owner.h"

#include <atomic>

namespace lowtide {

enum class free_error : uint8_t {
    none,
    double_free, // the object is free already
    interior,    // inside a block of ours, but not its start
    foreign,     // no block of ours is there
};

struct give_result {
    free_error error = free_error::none;
    void* culprit = nullptr;
    bool done = true; // false: a signal handler interrupted this class, and nothing happened
};

// What one size class holds, at one moment.
struct class_counts {
    size_t slabs = 0;
    size_t objects = 0;      // room for
    size_t free_objects = 0; // of them; those in magazines count as used here
    size_t hole_bytes = 0;   // memory of free objects that has gone back to the system
};

// What a size class has: its lock, and its slabs by how full they are. Zeroed memory is valid.
struct alignas(64) slab_shard {
    // 0 is fullest. The last bin has the wholly free ones.
    static constexpr unsigned partial_bins = 8;
    static constexpr unsigned bin_count = partial_bins + 1;

    os::mutex mutex;
    span* current = nullptr; // refills come from here; in no list
    list<span> bins[bin_count]{};
    std::atomic<size_t> slabs{0}; // read without the lock, too
    size_t free_objects = 0;
    // Slabs that have changed since they were looked through for pages to give back (holes.cpp). A look goes
    // from one list to the other; what has not rested long enough, and what changes meanwhile, is in the
    // other one.
    list<span, by_rest> restless[2]{};
    uint8_t noting = 0; // which one what changes is put in
    uint8_t round = 0;  // looks so far
    size_t hole_pages = 0;

    [[nodiscard]] size_t slab_count() const noexcept { return slabs.load(std::memory_order_relaxed); }
    void set_slabs(size_t count) noexcept { slabs.store(count, std::memory_order_relaxed); }
};

// One for each class. Apart from the tier, which has pointers to begin with: what is zero at the start costs
// a process only the pages that it uses.
struct slab_shards {
    slab_shard of[slab_classes + 1]{};
};

class slab_tier {
public:
    // `owner`: null for malloc's own, of which the page map's fast half knows.
    constexpr slab_tier(slab_shards* shards, page_tier* pages, page_map* map, metadata* records,
                        span_owner* owner = nullptr)
        : shards_(shards), pages_(pages), map_(map), records_(records), owner_(owner) {}

    // Takes up to `wanted` objects and stores them at end[-1], end[-2], …, lowest address last, so that a
    // stack filled so hands out the lowest first. Returns how many; fewer only when memory is short.
    [[nodiscard]] unsigned take(size_class c, void** end, unsigned wanted) noexcept;

    // Takes objects back. Every one is checked; the first wrong one ends it.
    [[nodiscard]] give_result give(size_class c, void* const* objects, unsigned count) noexcept;

    // Gives whole pages of free objects in partly used slabs back to the system, and slabs that hold nothing
    // to the page tier: those that nobody has taken from or given to for `rest` calls of this. The bytes that
    // went to the system; `left` says whether there are slabs that have not rested. One thread at a time.
    [[gnu::cold]] size_t give_holes_back(unsigned rest, bool& left) noexcept;

    // Is `p` the start of an object of this slab, and is it in use? For checks; takes the lock.
    [[nodiscard, gnu::cold]] free_error examine(const span& slab, const void* p) noexcept;

    // Gives slabs that hold nothing back to the page tier.
    [[gnu::cold]] void release_empty() noexcept;

    // Of a slab: copies its bitmap of free objects, a bit each. False when it can't be had, or `words` is too
    // few.
    [[nodiscard, gnu::cold]] bool copy_free(span& slab, uint64_t* to, uint32_t words) noexcept;

    // The part of an object that is in use in what can't go back because of it: on each page that it lies on,
    // what isn't in use there, divided among the objects that are. Without the lock: the figure of a moment.
    [[nodiscard, gnu::cold]] static double pinned_bytes(span& slab, uintptr_t object) noexcept;

    // Returns once everybody who has locked a shard class by now has unlocked it.
    [[gnu::cold]] void await_all() noexcept {
        for (unsigned i = 1; i <= slab_classes; ++i)
            if (lock(size_class{static_cast<uint8_t>(i)}))
                shards_->of[i].mutex.unlock();
    }

    // All memory of an owned slab back to the page tier, whatever it holds: the shards are not to be used any
    // more.
    [[gnu::cold]] void abandon(span& slab) noexcept { retire(slab); }

    [[nodiscard, gnu::cold]] class_counts counts(size_class c) noexcept;

private:
    static constexpr unsigned partial_bins = slab_shard::partial_bins;
    static constexpr size_t dense_from = 4; // slabs of a class that an owner has
    static constexpr uint8_t no_bin = 0xff; // wholly used slabs are in no list

    [[gnu::noinline]] bool lock(size_class c) noexcept;
    [[gnu::cold]] void rebuild(size_class c) noexcept;
    span* choose(slab_shard& shard) noexcept;
    [[nodiscard, LOWTIDE_RARE]] run_use use_for_owner(size_class c) noexcept;
    span* create(size_class c) noexcept;
    void refile(slab_shard& shard, span& s) noexcept;
    static unsigned extract(slab_shard& shard, span& s, void** end, unsigned wanted) noexcept;
    static unsigned extract_lines(span& s, void** end, unsigned wanted) noexcept;
    [[LOWTIDE_RARE]] static unsigned extract_resident(span& s, void** end, unsigned wanted) noexcept;
    [[LOWTIDE_RARE]] static void fill_holes(slab_shard& shard, span& s, void* const* objects,
                                            unsigned count) noexcept;
    [[LOWTIDE_RARE]] static void forget_holes(slab_shard& shard, span& s, uint64_t pages) noexcept;
    static void note_use(slab_shard& shard, span& s) noexcept;
    [[LOWTIDE_RARE]] void drop(slab_shard& shard, span& s, list<span>& emptied) noexcept;
    [[gnu::cold]] bool look_at(slab_shard& shard, span& s, list<span>& emptied, size_t& bytes) noexcept;
    [[gnu::cold]] size_t look_through(size_class c, unsigned rest, bool& left) noexcept;
    static free_error check(const span* s, size_class c, uintptr_t address, uint32_t& index) noexcept;
    void retire(span& s) noexcept;
    void retire_all(list<span>& emptied) noexcept;

    slab_shard& shard_of(size_class c) { return shards_->of[index_of(c)]; }

    [[nodiscard]] size_t record_bytes(uint32_t capacity) const noexcept;
    [[nodiscard]] uint32_t fast_entry(size_class c) const noexcept {
        return owner_ == nullptr ? fast_entry_of(c) : 0;
    }
    [[nodiscard, gnu::noinline]] span* new_record(uint32_t capacity) noexcept;
    [[gnu::noinline]] void free_record(span& s) noexcept;

    slab_shards* shards_;
    os::mutex looking_; // outermost
    page_tier* pages_;
    page_map* map_;
    metadata* records_;
    span_owner* owner_;
};

} // namespace lowtide
