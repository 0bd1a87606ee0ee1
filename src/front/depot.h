// Where magazines wait between two processors: a stack of filled magazines for each size class. Whole
// magazines come and go in O(1), so that objects freed on one processor and allocated on another needn't
// reach the slabs.
//
// They hold a bounded number of objects, of all classes together. What was freed comes out of here in the
// order it was freed, out of the slabs in that of addresses. While the objects are in the processor's cache
// that is all the same; where they no longer are, what the program does next with its neighbours is worth
// more than the way through the slabs costs.
//
// Each class has a lock of its own, held for a few instructions; it is a leaf.
#pragma once

#include "base/size_class.h"
#include "front/magazine.h"
#include "os/mutex.h"

#include <atomic>

namespace lowtide {

// For all classes together.
struct depot_limits {
    size_t objects = 0;
    size_t bytes = 0; // of objects
};

// What put() answers: whether the depot took the magazine, and an empty one for it if there was one.
struct depot_answer {
    bool taken = false;
    magazine* empty = nullptr;
};

class depot {
public:
    // A magazine with objects, or none. If there is one, `empty` (may be null) stays here for it.
    [[nodiscard]] stock take(size_class c, magazine* empty) noexcept;

    // Not taken when more than `most` would wait then, or the depot of this class can't be locked: the caller
    // keeps it.
    [[nodiscard]] depot_answer put(size_class c, const stock& s, const depot_limits& most) noexcept;

    // A magazine that was never needed since the last call of sweep(), or none. After Bonwick & Adams'
    // working set (Magazines and Vmem, 2001): the least number of magazines seen in the interval was not
    // needed.
    [[nodiscard, LOWTIDE_RARE]] stock take_idle(size_class c) noexcept;

    // Begins a new interval. Gives the empty magazines that have gathered, linked by `next`.
    [[nodiscard, LOWTIDE_RARE]] magazine* sweep(size_class c) noexcept;

    // Is there nothing at all of this class? Without the lock, and without touching a page that was never
    // used.
    [[nodiscard]] bool is_vacant(size_class c) const noexcept {
        const shelf& s = shelves_[index_of(c)];
        return __atomic_load_n(&s.first, __ATOMIC_RELAXED) == nullptr &&
               __atomic_load_n(&s.empties, __ATOMIC_RELAXED) == nullptr;
    }

    // Objects that wait here; takes the lock.
    [[nodiscard, gnu::cold]] size_t count(size_class c) noexcept;

private:
    struct alignas(64) shelf {
        os::mutex mutex;
        magazine* first = nullptr;
        magazine* empties = nullptr;
        uint32_t magazines = 0;
        uint32_t least = 0; // since the last sweep
        size_t objects = 0;
    };

    bool lock(size_class c) noexcept;
    [[gnu::cold]] void abandon(size_class c) noexcept;
    stock pop(size_class c) noexcept;
    void add(size_class c, size_t objects) noexcept;
    void subtract(size_class c, size_t objects) noexcept;
    shelf& shelf_of(size_class c) { return shelves_[index_of(c)]; }

    shelf shelves_[slab_classes + 1]{};
    // Of all shelves, and never less than they have, when a thread dies in a fork.
    std::atomic<size_t> objects_{0};
    std::atomic<size_t> bytes_{0};
};

} // namespace lowtide
