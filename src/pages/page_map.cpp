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
        if (control_.mutex.lock(true) == os::acquired::mine) {
            source.release(fresh, sizeof(page_map_leaf));
            return false;
        }
        const bool first = leaves_[i].load(std::memory_order_relaxed) == nullptr;
        if (first) {
            leaves_[i].store(leaf, std::memory_order_release);
            show(i, !control_.closed);
            if (control_.leaves < page_map_control::noted)
                control_.roots[control_.leaves] = static_cast<uint16_t>(i);
            ++control_.leaves;
        }
        control_.mutex.unlock();
        if (!first)
            source.release(fresh, sizeof(page_map_leaf)); // somebody else was first
    }
    return true;
}

void page_map::show(size_t root, bool shown) noexcept {
    const page_map_leaf* leaf = leaves_[root].load(std::memory_order_relaxed);
    if (leaf == nullptr)
        return;
    const auto distance = static_cast<int64_t>(reinterpret_cast<uintptr_t>(leaf->fast) -
                                               reinterpret_cast<uintptr_t>(empty_leaf_));
    fast_root_[root].store(shown ? distance / static_cast<int64_t>(sizeof(uint32_t)) : 0,
                           std::memory_order_release);
}

void page_map::show_leaves(bool shown) noexcept {
    if (control_.mutex.lock(true) == os::acquired::mine)
        return;
    control_.closed = !shown;
    const bool all = control_.leaves > page_map_control::noted;
    for (size_t i = 0; i < (all ? root_entries : control_.leaves); ++i)
        show(all ? i : control_.roots[i], shown);
    control_.mutex.unlock();
}

void page_map::set(uintptr_t base, slice_count length, span* s, uint32_t fast,
                   slice_count fast_slices) noexcept {
    for (uint32_t i = 0; i < fast_slices.n; ++i) {
        const uintptr_t address = base + slice_count{i}.bytes();
        page_map_leaf* leaf = leaves_[address >> leaf_shift].load(std::memory_order_relaxed);
        leaf->fast[slice_in_leaf(address)].store(fast, std::memory_order_relaxed);
    }
    // Block by block: a run may have hundreds of slices.
    for (uint32_t left = length.n; left != 0;) {
        page_map_leaf* leaf = leaves_[base >> leaf_shift].load(std::memory_order_relaxed);
        std::atomic<span*>* first = &leaf->span_of(base);
        const auto to_end =
            static_cast<uint32_t>(slices_per_block - (base >> slice_shift) % slices_per_block);
        const uint32_t here = left < to_end ? left : to_end;
        for (uint32_t i = 0; i < here; ++i)
            first[i].store(s, std::memory_order_relaxed);
        base += slice_count{here}.bytes();
        left -= here;
    }
}

} // namespace lowtide
