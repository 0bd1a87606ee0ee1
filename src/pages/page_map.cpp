#include "pages/page_map.h"

namespace lowtide {

bool page_map::cover(const page_source& source, uintptr_t base, size_t bytes) noexcept {
    for (uintptr_t i = base >> leaf_shift; i <= (base + bytes - 1) >> leaf_shift; ++i) {
        if (i >= root_entries)
            return false;
        if (leaves_[i].load(std::memory_order_acquire) != nullptr)
            continue;
        const uintptr_t fresh = source.map(sizeof(page_map_leaf), os::page_size());
        if (fresh == 0)
            return false;
        auto* leaf = reinterpret_cast<page_map_leaf*>(fresh);
        leaf->root_index = static_cast<uint32_t>(i);
        if (mutex_.lock(true) == os::acquired::mine) {
            source.release(fresh, sizeof(page_map_leaf));
            return false;
        }
        const bool first = leaves_[i].load(std::memory_order_relaxed) == nullptr;
        if (first) {
            leaf->next = first_leaf_;
            leaves_[i].store(leaf, std::memory_order_release);
            show(*leaf, !closed_);
            first_leaf_ = leaf;
        }
        mutex_.unlock();
        if (!first)
            source.release(fresh, sizeof(page_map_leaf)); // somebody else was first
    }
    return true;
}

void page_map::show(const page_map_leaf& leaf, bool shown) noexcept {
    const auto distance = static_cast<int64_t>(reinterpret_cast<uintptr_t>(leaf.fast) -
                                               reinterpret_cast<uintptr_t>(empty_leaf_));
    fast_root_[leaf.root_index].store(shown ? distance / static_cast<int64_t>(sizeof(uint32_t)) : 0,
                                      std::memory_order_release);
}

void page_map::show_leaves(bool shown) noexcept {
    if (mutex_.lock(true) == os::acquired::mine)
        return;
    closed_ = !shown;
    for (const page_map_leaf* leaf = first_leaf_; leaf != nullptr; leaf = leaf->next)
        show(*leaf, shown);
    mutex_.unlock();
}

void page_map::set(uintptr_t base, slice_count length, span* s, uint32_t fast,
                   slice_count fast_slices) noexcept {
    for (uint32_t i = 0; i < length.n; ++i) {
        const uintptr_t address = base + slice_count{i}.bytes();
        page_map_leaf* leaf = leaves_[address >> leaf_shift].load(std::memory_order_relaxed);
        leaf->spans[slice_in_leaf(address)].store(s, std::memory_order_relaxed);
        leaf->fast[slice_in_leaf(address)].store(i < fast_slices.n ? fast : 0, std::memory_order_relaxed);
    }
}

} // namespace lowtide
