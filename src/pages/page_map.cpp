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
    for (uint32_t i = 0; i < length.n; ++i) {
        const uintptr_t address = base + slice_count{i}.bytes();
        page_map_leaf* leaf = leaves_[address >> leaf_shift].load(std::memory_order_relaxed);
        leaf->span_of(address).store(s, std::memory_order_relaxed);
        leaf->fast[slice_in_leaf(address)].store(i < fast_slices.n ? fast : 0, std::memory_order_relaxed);
    }
}

} // namespace lowtide
