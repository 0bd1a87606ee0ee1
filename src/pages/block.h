// A block is 2 MiB of address space in 32 slices, and the record of which of them are free and which of those
// are dirty. A region is a reservation that blocks are taken from. Both are guarded by the lock of the page
// tier.
//
// The masks are the truth; lists and counters are derived from them and can be rebuilt (page_tier::rebuild).
#pragma once

#include "base/list.h"
#include "base/units.h"

#include <cstdint>

namespace lowtide {

enum class block_state : uint8_t {
    reserved,  // address space only
    committed, // readable and writable
    released,  // not even address space: given back when memory was short
    lost,      // released, and now somebody else's
};

// Why a block may be one huge page of the kernel's.
enum class huge_page : uint8_t {
    none,
    advised,   // it was told that it may (pages/growth.cpp)
    collapsed, // it has made one of the small pages that were there (pages/collapse.cpp)
};

struct region;

struct by_room; // the tags of the two lists a block can be in
struct by_age;

// Invariant: dirty is a subset of free; free and purging are disjoint; a block that isn't committed has all
// masks 0.
struct block : list_node<by_room>, list_node<by_age> {
    uintptr_t base = 0;
    uint32_t free = 0;    // slices nobody holds
    uint32_t dirty = 0;   // of those, the ones that may be in memory and are not known to be zero
    uint32_t thin = 0;    // of the dirty ones, those whose end isn't in memory, as far as is known
    uint32_t purging = 0; // slices on their way to the system; they belong to the purging thread
    block_state state = block_state::reserved;
    uint8_t bucket = 0; // the list it is in: its longest run of free slices
    huge_page huge = huge_page::none;
    bool plain = false; // the kernel has been told that it may have no huge page here
    // How many more times the block is filled with a huge page when a run takes all of it: see growth.cpp.
    uint8_t dense = 0;
    bool to_fill = false; // for whoever has just taken all of it
    bool filled = false;  // all of it is in memory since then: that says nothing about its use
    bool settled = false; // nothing of it was free when it was looked at, nor has been since
    region* home = nullptr;
    uint64_t last_freed_ms = 0; // when a slice was freed last

    [[nodiscard]] list_node<by_room>& room_place() { return *this; }
    [[nodiscard]] list_node<by_age>& age_place() { return *this; }
    [[nodiscard]] bool empty() const { return free == ~uint32_t{0}; }
    [[nodiscard]] bool without_memory() const {
        return state == block_state::reserved || state == block_state::released;
    }
    [[nodiscard]] bool clean() const { return empty() && dirty == 0; }
};

struct block_group; // what is known of 64 blocks (pages/stretches.h)

struct region {
    region* next; // in the order in which they came
    uintptr_t base;
    uint32_t block_count;
    block_group* groups;
    block blocks[1]; // block_count of them; the groups lie behind

    [[nodiscard]] uint32_t index_of(const block& b) const {
        return static_cast<uint32_t>((b.base - base) / block_size);
    }
};

} // namespace lowtide
