// Where a run of more than a block can be: stretches of slices in a row that go from one block to the next.
//
// Of each 64 blocks it is known at which of their borders a stretch can cross, so that only those are looked
// at, and, once somebody has looked, how long the stretches are (the summaries of Go's page allocator, in one
// level): groups that can't have one long enough are passed over until a block of theirs changes.
#pragma once

#include "pages/block.h"

#include <bit>

namespace lowtide {

// What a stretch is made of.
enum class stretch_of : uint8_t {
    dirty,
    free,  // in committed blocks
    space, // free, or to be had with a system call
};

constexpr uint32_t slices_of(const block& b, stretch_of kind) {
    if (kind == stretch_of::space && b.without_memory())
        return ~uint32_t{0};
    return kind == stretch_of::dirty ? b.dirty : b.free;
}

// Zeroed memory is a group of blocks that have been lost; note() says what they are.
struct block_group {
    static constexpr uint32_t size = 64;

    // A bit for each block: whether its first slice is such, and its last.
    struct edges {
        uint64_t first;
        uint64_t last;
    };
    struct summary {
        uint16_t leading;  // slices at the beginning, up to all there are
        uint16_t longest;  // of the stretches inside that go from one block to the next
        uint16_t trailing; // slices at the end, unless they are those at the beginning
    };
    edges dirty;
    edges free;
    uint64_t without_memory;
    summary of[3];
    uint8_t known; // a bit for each kind: no block has changed since

    [[nodiscard]] edges edges_of(stretch_of kind) const {
        if (kind == stretch_of::space)
            return {free.first | without_memory, free.last | without_memory};
        return kind == stretch_of::dirty ? dirty : free;
    }
    // To be called whenever the masks or the state of a block have changed.
    void note(uint32_t index, const block& b) {
        const auto put = [index](uint64_t& bits, uint32_t bit) {
            bits = (bits & ~(uint64_t{1} << index)) | uint64_t{bit} << index;
        };
        const auto put_edges = [put](edges& e, uint32_t mask) {
            put(e.first, mask & 1);
            put(e.last, mask >> (slices_per_block - 1));
        };
        put_edges(dirty, b.dirty);
        put_edges(free, b.free);
        put(without_memory, b.without_memory() ? 1 : 0);
        known = 0;
    }
};
static_assert(block_group::size * slices_per_block <= UINT16_MAX);

// Looks through a group of `count` blocks that `before` slices in a row precede. Calls
// ended(block, slice, length) where a stretch ends, in order, also where that has not crossed a border, until
// it answers true: then so does this, and `found` is not complete.
template <typename Ended>
bool look_through(const block* blocks, uint32_t count, const block_group& group, stretch_of kind,
                  uint32_t before, block_group::summary& found, Ended ended) {
    const auto mask_of = [&](uint32_t i) { return slices_of(blocks[i], kind); };
    const auto leading_in = [&](uint32_t i) { return static_cast<uint32_t>(std::countr_one(mask_of(i))); };
    const auto trailing_in = [&](uint32_t i) { return static_cast<uint32_t>(std::countl_one(mask_of(i))); };
    const block_group::edges edges = group.edges_of(kind);
    const uint64_t crossings = edges.last & edges.first >> 1; // bit i: from block i to the next
    uint32_t i = 0;
    // What goes on in blocks that are wholly such, and in the first that isn't.
    const auto follow = [&](uint32_t length) {
        while (i < count && mask_of(i) == ~uint32_t{0}) {
            length += slices_per_block;
            ++i;
        }
        return i < count ? length + leading_in(i) : length;
    };
    const uint32_t leading = follow(0);
    found.leading = static_cast<uint16_t>(leading);
    if (i == count)
        return false;
    if (ended(i, leading_in(i), before + leading))
        return true;
    while (crossings >> i != 0) {
        i += static_cast<uint32_t>(__builtin_ctzll(crossings >> i));
        const uint32_t trailing = trailing_in(i);
        ++i;
        const uint32_t length = follow(trailing);
        if (i == count) {
            found.trailing = static_cast<uint16_t>(length);
            return false;
        }
        if (ended(i, leading_in(i), length))
            return true;
        if (length > found.longest)
            found.longest = static_cast<uint16_t>(length);
    }
    found.trailing = static_cast<uint16_t>(trailing_in(count - 1));
    return false;
}

// Calls visit(base, length) for every stretch of at least `wanted` slices (more than a block has) in the
// region, lowest address first, until it answers true: then so does this.
template <typename Visit>
bool for_each_stretch(const region& r, stretch_of kind, uint32_t wanted, Visit visit) {
    const auto which = static_cast<unsigned>(kind);
    uint32_t have = 0; // slices in a row up to the end of the group before
    const auto stop_at = [&](uint32_t block_index, uint32_t slice, uint32_t length) {
        const uintptr_t end = r.base + block_index * block_size + slice_count{slice}.bytes();
        return length >= wanted && visit(end - slice_count{length}.bytes(), length);
    };
    for (uint32_t first = 0; first < r.block_count; first += block_group::size) {
        block_group& group = r.groups[first / block_group::size];
        const uint32_t left = r.block_count - first;
        const uint32_t count = left < block_group::size ? left : block_group::size;
        block_group::summary& known = group.of[which];
        const uint32_t all = count * slices_per_block;
        const bool may_have =
            known.leading != all && (have + known.leading >= wanted || known.longest >= wanted);
        if ((group.known >> which & 1) == 0 || may_have) {
            block_group::summary now{};
            if (look_through(r.blocks + first, count, group, kind, have, now,
                             [&](uint32_t i, uint32_t slice, uint32_t length) {
                                 return stop_at(first + i, slice, length);
                             }))
                return true;
            known = now;
            group.known |= static_cast<uint8_t>(1u << which);
        }
        have = known.leading == all ? have + all : known.trailing;
    }
    return stop_at(r.block_count, 0, have);
}

} // namespace lowtide
