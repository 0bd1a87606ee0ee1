// From any address to the span it lies in, in two steps: a root with an entry for each 4 GiB, a leaf with an
// entry for each 64 KiB slice. Addresses that aren't ours find null, whatever their bits.
//
// There are two of everything. The slow half has the span. The fast half has the one number that free()
// needs, in a form that its few instructions can add up (entry/fast_path_x86_64.S): a root entry is the
// distance from `empty_leaf` to the leaf in units of 4 bytes, so that a zeroed root is valid and leads every
// address to the empty leaf; a leaf entry is the offset of the size class among the magazines, 0 for "not in
// magazines".
//
// Writers hold the memory they write about, and readers got the pointer from the writer; there is no lock.
#pragma once

#include "base/units.h"
#include "os/mutex.h"
#include "pages/page_source.h"
#include "pages/span.h"

#include <atomic>
#include <cstdint>

namespace lowtide {

inline constexpr unsigned leaf_shift = 32;
inline constexpr size_t root_entries = size_t{1} << 16; // 48 bits of address
inline constexpr size_t leaf_entries = size_t{1} << (leaf_shift - slice_shift);

struct block;

struct page_map_leaf {
    // What is known about a block of addresses: together, so that it is on one page.
    struct place {
        std::atomic<block*> in;
        std::atomic<span*> spans[slices_per_block];
    };
    std::atomic<uint32_t> fast[leaf_entries];
    place places[leaf_entries / slices_per_block];

    [[nodiscard]] std::atomic<span*>& span_of(uintptr_t address) {
        return place_of(address).spans[(address >> slice_shift) % slices_per_block];
    }
    [[nodiscard]] place& place_of(uintptr_t address) {
        return places[(address >> block_shift) % (leaf_entries / slices_per_block)];
    }
};

// Where leaves are, for close() and open(). The lock guards it and the making of leaves; it is a leaf lock.
struct alignas(64) page_map_control {
    static constexpr unsigned noted = 24;

    os::mutex mutex;
    uint32_t leaves;
    bool closed;
    uint16_t
        roots[noted]; // the root entries of the first leaves; of more than these, all have to be looked at
};
static_assert(sizeof(page_map_control) == 64);

// The fast entry for objects that magazines of class `c` hold: the offset of that class's word in a row of
// magazines.
constexpr uint32_t fast_entry_of(size_class c) {
    return static_cast<uint32_t>(index_of(c) * sizeof(uint64_t));
}

constexpr size_class class_of_entry(uint32_t entry) {
    return size_class{static_cast<uint8_t>(entry / sizeof(uint64_t))};
}

// Zeroed memory is a valid, empty map.
class page_map {
public:
    // The span registered for the slice that `address` lies in, or null: that of any byte of a slab or a
    // huge object, and of the first byte of a run.
    [[nodiscard, gnu::always_inline]] span* find(uintptr_t address) const noexcept {
        if (address >> (leaf_shift + 16) != 0) [[unlikely]]
            return nullptr;
        page_map_leaf* leaf = leaves_[address >> leaf_shift].load(std::memory_order_relaxed);
        if (leaf == nullptr) [[unlikely]]
            return nullptr;
        return leaf->span_of(address).load(std::memory_order_relaxed);
    }

    // The same for who didn't get the address from the writer, in a block of ours: the record is complete.
    [[nodiscard]] span* find_unasked(uintptr_t address) const noexcept {
        return leaf_of(address).span_of(address).load(std::memory_order_acquire);
    }

    // The class of the objects that magazines hold and that lie, or one of which lies, in the slice of
    // `address`. What free() finds, with the same limits: none for other memory and while the map is closed,
    // anything that has the lower 48 bits of an address of ours passes for it.
    [[nodiscard]] size_class class_at(uintptr_t address) const noexcept {
        const int64_t distance =
            fast_root_[address >> leaf_shift & (root_entries - 1)].load(std::memory_order_relaxed);
        const auto* leaf = reinterpret_cast<const std::atomic<uint32_t>*>(
            reinterpret_cast<uintptr_t>(empty_leaf_) + static_cast<uintptr_t>(distance) * sizeof(uint32_t));
        return class_of_entry(leaf[slice_in_leaf(address)].load(std::memory_order_relaxed));
    }

    // The block that `address` lies in; the address is in a block of ours.
    [[nodiscard]] block* block_of(uintptr_t address) const noexcept {
        return leaf_of(address).place_of(address).in.load(std::memory_order_relaxed);
    }
    [[nodiscard]] bool in_block(uintptr_t address) const noexcept {
        return address >> (leaf_shift + 16) == 0 &&
               leaves_[address >> leaf_shift].load(std::memory_order_relaxed) != nullptr &&
               block_of(address) != nullptr;
    }
    void set_block(uintptr_t base, block* b) noexcept {
        leaf_of(base).place_of(base).in.store(b, std::memory_order_relaxed);
    }

    // Makes sure that leaves for [base, base+bytes) exist. False when there is no memory for them.
    [[nodiscard]] bool cover(const page_source& source, uintptr_t base, size_t bytes) noexcept;

    // Registers `s` and the fast entry for all of `length` slices from `base`: objects may begin in any. The
    // leaves exist (cover), and what is registered twice is as it was set last.
    void set(uintptr_t base, slice_count length, span* s, uint32_t fast) noexcept;
    void clear(uintptr_t base, slice_count length) noexcept { set(base, length, nullptr, 0); }

    // The same for a run in blocks that is one object: only its first slice, and the first of each block
    // behind it, so that around() needn't look far. It may have hundreds of slices.
    void set_single(uintptr_t base, slice_count length, span* s) noexcept;
    void clear_single(uintptr_t base, slice_count length) noexcept { set_single(base, length, nullptr); }
    // For a huge span: all slices, but no fast entry.
    [[LOWTIDE_RARE]] void set_huge(uintptr_t base, slice_count length, span* s) noexcept;
    void clear_huge(uintptr_t base, slice_count length) noexcept { set_huge(base, length, nullptr); }
    // The fast entry of a slice. Where no span is, all are 0.
    void set_fast(uintptr_t base, uint32_t fast) noexcept {
        leaf_of(base).fast[slice_in_leaf(base)].store(fast, std::memory_order_relaxed);
    }

    // The span that has `address` anywhere in it, or null. Slower than find().
    [[nodiscard, gnu::cold]] span* around(uintptr_t address) const noexcept;

    // Leads the fast half of every address to "none", and back. A membarrier that restarts sequences makes
    // the first certain for all threads (front/cache.h).
    void close() noexcept { show_leaves(false); }
    void open() noexcept { show_leaves(true); }

    // Calls visit(leaf, number of its 4 GiB) for each that there is.
    template <typename Visit>
    void for_each_leaf(Visit visit) const noexcept {
        const uint32_t count = __atomic_load_n(&control_.leaves, __ATOMIC_ACQUIRE);
        const bool all = count > page_map_control::noted;
        for (size_t i = 0; i < (all ? root_entries : count); ++i) {
            const size_t root = all ? i : control_.roots[i];
            if (page_map_leaf* leaf = leaves_[root].load(std::memory_order_acquire))
                visit(*leaf, root);
        }
    }
    // Calls visit(span*) for what is outside blocks, huge spans: at least once for each that is there all the
    // time. Others may unmap them meanwhile, and the record with them.
    template <typename Visit>
    void for_each_outside_blocks(Visit visit) const noexcept {
        for_each_leaf([&visit](page_map_leaf& leaf, size_t) {
            span* last = nullptr;
            for (page_map_leaf::place& p : leaf.places) {
                if (p.in.load(std::memory_order_relaxed) != nullptr)
                    continue;
                for (const std::atomic<span*>& entry : p.spans) {
                    span* s = entry.load(std::memory_order_acquire);
                    if (s != nullptr && s != last)
                        visit(s);
                    last = s;
                }
            }
        });
    }

    // Offsets for the assembly.
    static constexpr size_t offset_of_root() { return sizeof(page_map_control); }
    static constexpr size_t offset_of_empty_leaf() {
        return offset_of_root() + root_entries * sizeof(int64_t);
    }

private:
    [[nodiscard]] page_map_leaf& leaf_of(uintptr_t address) const noexcept {
        return *leaves_[address >> leaf_shift].load(std::memory_order_relaxed);
    }
    void set_span(uintptr_t address, span* s) noexcept {
        leaf_of(address).span_of(address).store(s, std::memory_order_release);
    }
    void show_leaves(bool shown) noexcept;
    void show(size_t root, bool shown) noexcept;
    static size_t slice_in_leaf(uintptr_t address) { return (address >> slice_shift) & (leaf_entries - 1); }

    page_map_control control_; // in front, where it shares a page with what comes before the map
    std::atomic<int64_t> fast_root_[root_entries];
    std::atomic<uint32_t> empty_leaf_[leaf_entries]; // never written
    std::atomic<page_map_leaf*> leaves_[root_entries];
};

} // namespace lowtide
