#include "pages/page_map.h"

#include "pages/block.h"

namespace lowtide {

// The last slice of a huge span may be shared with a mapping that isn't ours.
static size_t bytes_of(const span& s) {
    return s.kind == span_kind::huge ? s.object_size : s.length.bytes();
}

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
            __atomic_store_n(&control_.leaves, control_.leaves + 1, __ATOMIC_RELEASE);
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

void page_map::set(uintptr_t base, slice_count length, span* s, uint32_t fast) noexcept {
    for (uintptr_t at = base; at != base + length.bytes(); at += slice_size) {
        set_fast(at, fast);
        set_span(at, s);
    }
}

void page_map::set_single(uintptr_t base, slice_count length, span* s) noexcept {
    set_span(base, s);
    for (uintptr_t at = align_up(base + 1, block_size); at < base + length.bytes(); at += block_size)
        set_span(at, s);
}

void page_map::set_huge(uintptr_t base, slice_count length, span* s) noexcept {
    for (uintptr_t at = base; at != base + length.bytes(); at += slice_size)
        set_span(at, s);
}

// Looks back in blocks only: the records of what lies there stay in memory, whatever another thread frees
// meanwhile. That of a huge span before `address` may go at any moment.
span* page_map::around(uintptr_t address) const noexcept {
    span* s = find(address);
    if (s == nullptr && in_block(address) && block_of(address)->state == block_state::committed) {
        const uintptr_t first = align_down(address, block_size);
        for (uintptr_t at = align_down(address, slice_size); s == nullptr && at != first;) {
            at -= slice_size;
            s = find(at);
        }
    }
    return s != nullptr && address - s->base < bytes_of(*s) ? s : nullptr;
}

} // namespace lowtide
