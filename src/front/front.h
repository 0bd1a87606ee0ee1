// The front: what happens when a fast path finds no object, or no room. Two magazines a class and row, loaded
// and spare (Bonwick & Adams 2001), so that a pattern that swings across the boundary of one doesn't come
// here each time; whole magazines to and from the depot; objects to and from the slabs only when that has
// nothing, or is full.
//
// Every step is one operation of cache.h, so that at any moment every object is owned by exactly one party,
// also when the thread is preempted, dies in a fork, or is interrupted by a handler that comes here too.
#pragma once

#include "base/options.h"
#include "front/cache.h"
#include "front/chance.h"
#include "front/depot.h"
#include "pages/runs.h"
#include "slab/slab_tier.h"

namespace lowtide {

// Told of an object that was freed wrongly; need not return. `c` is the class it was freed as.
using wrong_free_handler = void (*)(free_error error, const void* object, size_class c) noexcept;

class front {
public:
    constexpr front(fast_state* state, depot* waiting, chance* samples, slab_tier* slabs, run_tier* runs,
                    page_tier* pages, page_map* map, metadata* records, const options* settings,
                    const page_source* source, wrong_free_handler on_wrong_free)
        : cache_(state), depot_(*waiting), chance_(*samples), slabs_(slabs), runs_(runs), pages_(pages),
          map_(map), records_(records), settings_(settings), source_(source), on_wrong_free_(on_wrong_free) {}

    void start(unsigned cpus, unsigned usable_cpus) noexcept;

    // An object of the slab class `c`, or null when memory is short or a signal handler has interrupted us.
    [[nodiscard]] void* allocate(size_class c) noexcept;

    // Only what magazines have: for run classes, whose next tier can say whether fresh memory is zero.
    [[nodiscard]] void* allocate_cached(size_class c) noexcept;

    // Runs of no class, larger than a block. The one that was freed last is kept, one in each row: a program
    // that takes and frees one large buffer after the other pays 30 ns for it instead of 800.
    [[nodiscard]] span_result allocate_run(size_t size, size_t alignment) noexcept;
    [[LOWTIDE_RARE]] void release_run(span& s) noexcept;

    // Takes an object back. What is found to be freed wrongly may also be another object of the class, freed
    // before and checked now.
    void release(size_class c, void* p) noexcept;

    // From now on allocations are sampled, one every so many bytes on average; 0: none any more.
    [[gnu::cold]] void set_sampling(size_t mean_bytes) noexcept;
    [[nodiscard]] size_t sampling() const noexcept { return chance_.mean(); }
    // Of an allocation of so many bytes that came to the slow path: is it to be recorded?
    [[nodiscard, gnu::cold]] bool is_sampled(size_t size) noexcept;
    // How many like it it stands for.
    [[nodiscard, gnu::cold]] double weight(size_t size) const noexcept { return chance_.weight(size); }

    // Whether a run was freed before and lies in one of this row's magazines.
    [[nodiscard, LOWTIDE_RARE]] bool holds(size_class c, const void* p) noexcept;

    // Keeps an object, of any tier, that can't be given back now because a signal handler frees it in the
    // middle of the allocator. The list is linked through the objects.
    [[gnu::cold]] void defer(void* p) noexcept;
    [[nodiscard]] void* take_deferred() noexcept {
        return deferred_.exchange(nullptr, std::memory_order_acquire);
    }
    [[nodiscard]] bool has_deferred() const noexcept {
        return deferred_.load(std::memory_order_relaxed) != nullptr;
    }
    [[nodiscard]] static void* next_deferred(void* p) noexcept { return *static_cast<void**>(p); }

    // Everything that all rows and the depots hold back to the tiers below.
    [[gnu::cold]] void drain() noexcept;

    // Now and then: what nobody has needed for a while goes down a tier, and from the lowest to the system.
    // Cheap when it isn't time.
    void tick() noexcept;

    // What nobody has touched, or needed, since the last call, to the tiers below; or `all`. One thread at a
    // time, which may be one without rows.
    [[gnu::cold]] void return_rested(bool all) noexcept;

    // From now on, in this process, somebody calls return_rested() and slab_tier::give_holes_back() now and
    // then: the program's own slow calls leave the latter to them. Until `yes` is false.
    [[gnu::cold]] void set_attended(bool yes) noexcept;
    [[nodiscard]] bool is_attended() const noexcept {
        return attended_in_.load(std::memory_order_relaxed) == os::generation();
    }

    // The process gets so many thousandths of a processor; 0: all that there are. What magazines hold follows
    // that, and not the number of processors that take turns.
    [[gnu::cold]] void set_cpu_quota(unsigned thousandths) noexcept;

    // Objects of a class in magazines and depots.
    [[nodiscard, gnu::cold]] size_t cached(size_class c) noexcept;
    [[nodiscard]] parked_runs parked() const noexcept { return cache_.parked(); }
    [[nodiscard]] const cache& words() const noexcept { return cache_; }
    [[nodiscard]] bool uses_magazines() const noexcept {
        return settings_->cache_bytes != 0 && !settings_->check;
    }

private:
    // Magazines are as large as the option says while no more rows than this are in use. With more, those of
    // so many classes share what they would have in as many rows, or a part of what is in use: 256 processors
    // at work on 70 MiB had 385 MB in their caches without that (docs/design.md).
    static constexpr unsigned most_uncrowded_rows = 16;

    [[nodiscard, gnu::noinline]] unsigned capacity_for(size_class c, size_t magazine_bytes) const noexcept;
    [[nodiscard]] unsigned usual_capacity(size_class c) const noexcept;
    [[nodiscard]] unsigned rows_in_use() const noexcept;
    [[nodiscard]] unsigned uncrowded_rows() const noexcept {
        return uncrowded_rows_.load(std::memory_order_relaxed);
    }
    // Do the magazines of a class share what few rows would have?
    [[nodiscard]] bool is_crowded() const noexcept {
        return usual_bytes_.load(std::memory_order_relaxed) < settings_->cache_bytes;
    }
    [[nodiscard]] size_t budget() const noexcept;
    [[nodiscard]] size_t granted() const noexcept;
    [[nodiscard]] bool may_keep_warm(size_class c) const noexcept;
    void note_miss(size_class c) noexcept;
    void set_capacity(size_class c, unsigned objects) noexcept;
    void age(size_class c) noexcept;
    void count_rows() noexcept;
    [[LOWTIDE_RARE]] void divide_among_rows() noexcept;
    [[nodiscard]] void* serve(size_class c, stock s) noexcept;
    [[nodiscard]] void* allocate_directly(size_class c) noexcept;
    void release_directly(size_class c, void* const* objects, unsigned count) noexcept;
    [[nodiscard]] stock fill(size_class c, magazine* reuse) noexcept;
    void top_up(size_class c, stock& s, unsigned count) noexcept;
    [[nodiscard]] stock empty_magazine(size_class c, magazine* reuse) noexcept;
    void dispose(size_class c, const stock& s) noexcept;
    void flush(size_class c, const stock& s) noexcept;
    void install(size_class c, const stock& s) noexcept;
    [[nodiscard]] magazine* dispose_for_empty(size_class c, const stock& s) noexcept;
    void scrap(size_class c, magazine* empty) noexcept;
    void discard(size_class c, magazine* empties) noexcept;
    void drain_row(size_class c, position where) noexcept;
    void drain_parked() noexcept;
    [[gnu::cold]] void flush_all(cache::holdings& all) noexcept;
    [[gnu::cold]] void drain_depot(size_class c) noexcept;
    [[LOWTIDE_RARE, gnu::noinline]] void return_idle_depot(size_class c) noexcept;
    [[LOWTIDE_RARE]] void retire(span& s) noexcept;
    [[LOWTIDE_RARE]] void return_holes(uint64_t now) noexcept;

    cache cache_;
    depot& depot_;
    chance& chance_;
    slab_tier* slabs_;
    run_tier* runs_;
    page_tier* pages_;
    page_map* map_;
    metadata* records_;
    const options* settings_;
    const page_source* source_;
    wrong_free_handler on_wrong_free_;
    std::atomic<void*> deferred_{nullptr}; // linked through the first word of each object
    // Magazines start small, grow where they are exchanged often, and shrink where they are not.
    struct class_use {
        std::atomic<uint16_t> capacity{0}; // of the next magazine, in objects
        std::atomic<uint32_t> misses{0};   // of loaded and spare magazine alike, since the last tick
    };
    class_use use_[all_classes]{};
    std::atomic<size_t> granted_{0};     // bytes beyond the usual sizes that the magazines of a row may hold
    std::atomic<unsigned> rows_seen_{1}; // since the last tick
    std::atomic<unsigned> rows_before_{1}; // between the two ticks before
    std::atomic<size_t> usual_bytes_{0};   // of a magazine, as of the last tick
    std::atomic<size_t> warm_bytes_{0};    // room in the magazines of run classes
    std::atomic<uint64_t> next_tick_ms_{0};
    std::atomic<size_t> committed_at_tick_{0};
    std::atomic<uint32_t> attended_in_{0}; // the generation that set_attended() was called in
    std::atomic<uint64_t> next_holes_ms_{0};
    std::atomic<unsigned> uncrowded_rows_{most_uncrowded_rows};
    magazine_row* seen_ = nullptr; // what return_rested() saw last
};

} // namespace lowtide
