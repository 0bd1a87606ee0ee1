// A heap of the program's own: slabs and runs that nobody else has, without caches in front of them. What
// lowtide/heap.h promises is made here, but for its errno.
//
// Each size class has its lock (slab/slab_tier.h); runs belong to who has the object. Every span is in one
// list, by which destroy finds them.
#pragma once

#include "slab/slab_tier.h"

#include <atomic>

namespace lowtide {

// What a heap needs of the rest of the process.
struct heap_surroundings {
    page_tier* pages;
    page_map* map;
    metadata* records;
    size_t (*relieve)() noexcept; // memory is short: the bytes that others could give back
    // An object that was freed wrongly. Does not return.
    void (*report)(free_error error, const void* object, const span* s) noexcept;
};

struct own_heap_counts {
    size_t objects = 0;
    size_t live_bytes = 0;
    size_t held_bytes = 0;
};

class own_heap : public list_node<>, public span_owner {
public:
    own_heap(const heap_surroundings& around, slab_shards* shards, const char* name) noexcept;

    // `size` is at most max_request, `alignment` a power of two. Null when memory is short.
    [[nodiscard]] void* allocate(size_t size, size_t alignment = min_alignment) noexcept;
    [[nodiscard]] void* allocate_zeroed(size_t size) noexcept;
    // Of an object of this heap, whose span is `s`.
    void release(span& s, void* object) noexcept;
    [[nodiscard]] void* reallocate(span& s, void* object, size_t size) noexcept;

    // Whatever it still holds. Nobody may be in it.
    void destroy() noexcept;

    // What is free in slabs goes back, where nobody has touched them for `rest` calls of this; `left`: there
    // are some that have not rested.
    void give_holes_back(unsigned rest, bool& left) noexcept { slabs_.give_holes_back(rest, left); }

    // Calls visit(object, size, data) until it answers other than 0; that is the answer.
    int walk(int (*visit)(void* object, size_t size, void* data), void* data) noexcept;

    [[nodiscard]] own_heap_counts counts() noexcept;
    [[nodiscard]] bool is_alive() const noexcept { return magic_ == magic; }
    [[nodiscard]] const char* name() const noexcept { return name_; }
    [[nodiscard]] slab_shards* shards() const noexcept { return shards_; }

    // The heap that a span belongs to, or null.
    static own_heap* of(span& s) noexcept {
        return static_cast<own_heap*>(static_cast<span_owner*>(owner_of(s)));
    }

private:
    static constexpr uint64_t magic = 0x6c6f772d68656170;

    [[nodiscard]] void* try_allocate(size_t size, size_t alignment, bool& zeroed) noexcept;
    [[nodiscard]] void* allocate_any(size_t size, size_t alignment, bool& zeroed) noexcept;
    [[nodiscard]] void* allocate_run(size_t size, size_t alignment, bool& zeroed) noexcept;
    void release_run(span& s) noexcept;
    void count_run(const span& s) noexcept;
    void uncount_run(const span& s) noexcept;
    struct seen_span;
    void look_at(span& s, seen_span& seen) noexcept;

    const heap_surroundings around_;
    uint64_t magic_ = magic;
    char name_[32]{};
    slab_shards* shards_;
    slab_tier slabs_;
    std::atomic<size_t> runs_{0};
    std::atomic<size_t> run_bytes_{0};
};

} // namespace lowtide
