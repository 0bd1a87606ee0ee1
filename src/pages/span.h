// A span is a stretch of slices with one purpose: a slab of equal objects, a run that is one object, the
// blocks of a pool, or a mapping of its own. Its description lives away from the memory it describes (a huge
// one's in the page in front of it), so a program that writes out of bounds can't reach it, and the memory
// can go back page by page.
#pragma once

#include "base/list.h"
#include "base/size_class.h"
#include "base/units.h"

#include <cstdint>

namespace lowtide {

enum class span_kind : uint8_t { slab, run, huge, pool };

// Owner: whoever holds the memory. A slab's fields are guarded by the lock of its shard class; those of a run
// and of a huge span belong to the thread that owns the object. `base`, `kind`, `size_class` never change.
struct by_rest; // the tag of the list of slabs that may have pages to give back (slab/holes.cpp)

struct span : list_node<>, list_node<by_rest> {
    uintptr_t base = 0;     // first byte handed out; a slab's first object
    size_t object_size = 0; // usable bytes of the object, of each object in a slab
    slice_count length{};   // slices; of a huge span: unused
    span_kind kind = span_kind::run;
    size_class sc{};     // slab, and runs that magazines hold
    bool owned = false;  // a heap's of the program's own: there is an owned_prefix in front of this record
    bool parked = false; // a run that the program has freed and the front keeps for the next one of its size
    uint8_t bin = 0;     // slab: which list of its shard class it is in
    uint8_t used_in = 0; // slab: the round of its shard in which an object came or went last
    uint32_t loose = 0;  // run: bytes of its end that nobody asked for, and that are in memory
    uint32_t capacity = 0; // slab: number of objects
    uint32_t free_objects = 0;
    uint32_t first_free_word = 0; // slab: no free object is in a word of the bitmap before this one
    uint32_t reciprocal = 0;      // slab: ceil(2^32 / object_size), see object_index()
    uint32_t samples = 0;         // sampled objects in it; written under the lock of observe/samples.h
    span* next_changed = nullptr; // slab: while objects are given back, see changed_slabs
    // Slab: a bit for each of its pages that has been given back to the system; run: not 0 when that is so of
    // the end that nobody asked for.
    uint64_t holes = 0;
    uintptr_t mapping = 0; // huge: where the mapping begins, and its length
    size_t mapping_bytes = 0;

    // Who owns an object here is told right whether there may be samples: its own is counted.
    [[nodiscard]] bool has_samples() const { return __atomic_load_n(&samples, __ATOMIC_RELAXED) != 0; }
    void set_samples(uint32_t count) { __atomic_store_n(&samples, count, __ATOMIC_RELAXED); }

    // The places in lists: of slabs by fullness, of freed spans; of slabs at rest.
    [[nodiscard]] list_node<>& place() { return *this; }
    [[nodiscard]] list_node<by_rest>& rest_place() { return *this; }

    // Slab: one bit an object, set where it is free. It follows the span in memory.
    [[nodiscard]] uint64_t* bitmap() { return reinterpret_cast<uint64_t*>(this + 1); }
    [[nodiscard]] uint32_t bitmap_words() const { return (capacity + 63) / 64; }
};

// What lies in front of a span that is owned. The owner's list of all that it has.
struct by_owner;

struct owned_prefix : list_node<by_owner> {
    void* owner = nullptr;

    [[nodiscard]] span& of() { return *reinterpret_cast<span*>(this + 1); }
    static owned_prefix& in_front_of(span& s) { return *(reinterpret_cast<owned_prefix*>(&s) - 1); }
};
static_assert(sizeof(owned_prefix) % alignof(span) == 0);

// Null for what is malloc's.
inline void* owner_of(span& s) {
    return s.owned ? owned_prefix::in_front_of(s).owner : nullptr;
}

// A span that was asked for.
struct span_result {
    span* s = nullptr; // null: no memory, or a signal handler has interrupted the tier
    bool zeroed = false;
};

// The index of the object of a slab that `address` lies in, if it is the start of one; else any number.
inline uint32_t object_index(const span& slab, uintptr_t address) {
    return static_cast<uint32_t>((address - slab.base) * slab.reciprocal >> 32);
}

inline bool is_object_start(const span& slab, uintptr_t address) {
    const uint32_t index = object_index(slab, address);
    return index < slab.capacity && slab.base + index * slab.object_size == address;
}

} // namespace lowtide
