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

// The spans of a heap of the program's own. A lock guards the list; a record in it stays what it is as long
// as somebody has that. Lock order: this, then shard class.
class span_owner {
public:
    [[LOWTIDE_RARE]] void add(owned_prefix& p) noexcept;
    // False, and nothing has happened, when a signal handler has interrupted this very list.
    [[nodiscard, LOWTIDE_RARE]] bool remove(owned_prefix& p) noexcept;
    // Calls visit(span) for each, with the lock.
    template <typename Visit>
    void for_each(Visit visit) noexcept {
        if (!lock())
            return;
        for (owned_prefix* p = spans_.front(); p != nullptr; p = spans_.after(*p))
            if (!is_mark(*p))
                visit(p->of());
        mutex_.unlock_outermost();
    }
    // What others read of a span in the list is changed with the lock.
    template <typename Change>
    void change(Change act) noexcept {
        const bool locked = lock();
        act();
        if (locked)
            mutex_.unlock_outermost();
    }
    // Where nobody else is any more.
    [[nodiscard]] span* first() noexcept {
        while (owned_prefix* p = spans_.front()) {
            if (!is_mark(*p))
                return &p->of();
            p->unlink(); // who walked there has died in a fork, or left by an exception
        }
        return nullptr;
    }

    // For who looks at one span after the other and lets others change the list in between: a mark is in the
    // list, in front of those that are still to come.
    void begin_walk(owned_prefix& mark) noexcept;
    // Calls look(span) for the next one, with the lock. False when there is none.
    template <typename Look>
    [[nodiscard]] bool look_at_next(owned_prefix& mark, Look look) noexcept {
        if (!lock())
            return false;
        owned_prefix* p = spans_.after(mark);
        while (p != nullptr && is_mark(*p))
            p = spans_.after(*p);
        if (p != nullptr) {
            mark.unlink();
            spans_.insert_behind(*p, mark);
            look(p->of());
        }
        mutex_.unlock_outermost();
        return p != nullptr;
    }
    void end_walk(owned_prefix& mark) noexcept;

private:
    // What a thread that died in a fork was adding or removing is lost. One link at a time is written.
    [[nodiscard]] bool lock() noexcept { return mutex_.lock_outermost() != os::acquired::mine; }
    [[nodiscard]] static bool is_mark(const owned_prefix& p) noexcept { return p.owner == nullptr; }

    os::mutex mutex_;
    list<owned_prefix, by_owner> spans_{};
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

    // All memory of an owned slab back to the page tier, whatever it holds: the shards are not to be used any
    // more.
    [[gnu::cold]] void abandon(span& slab) noexcept { retire(slab); }

    [[nodiscard, gnu::cold]] class_counts counts(size_class c) noexcept;

private:
    static constexpr unsigned partial_bins = slab_shard::partial_bins;
    static constexpr uint8_t no_bin = 0xff; // wholly used slabs are in no list

    [[gnu::noinline]] bool lock(size_class c) noexcept;
    [[gnu::cold]] void rebuild(size_class c) noexcept;
    span* choose(slab_shard& shard) noexcept;
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
