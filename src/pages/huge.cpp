#include "pages/huge.h"

#include "os/vm.h"

namespace lowtide {

namespace {

// The moved pages of an object keep at least this alignment: its first slice must be its alone.
constexpr size_t base_alignment = slice_size;

} // namespace

// Writes the record of a fresh or resized mapping.
span* huge_tier::settle(uintptr_t mapping, size_t mapping_bytes) noexcept {
    auto* s = reinterpret_cast<span*>(mapping);
    s->kind = span_kind::huge;
    s->mapping = mapping;
    s->mapping_bytes = mapping_bytes;
    s->base = mapping + os::page_size();
    s->object_size = mapping_bytes - os::page_size();
    map_->set(s->base, slice_count::holding(s->object_size), s, 0, {0});
    return s;
}

span* huge_tier::allocate(size_t size, size_t alignment) noexcept {
    const size_t header = os::page_size();
    release_stuck();
    alignment = alignment < base_alignment ? base_alignment : alignment;
    if (size > max_request - header - alignment)
        return nullptr;
    const size_t bytes = header + align_up(size, header);
    const uintptr_t mapping = os::reserve_behind(header, bytes, alignment);
    if (mapping == 0)
        return nullptr;
    if (!os::commit(mapping, bytes) || !map_->cover(page_source{}, mapping, bytes)) {
        os::release(mapping, bytes);
        return nullptr;
    }
    count_.fetch_add(1, std::memory_order_relaxed);
    bytes_.fetch_add(bytes - header, std::memory_order_relaxed);
    return settle(mapping, bytes);
}

void huge_tier::deallocate(span& s) noexcept {
    map_->clear(s.base, slice_count::holding(s.object_size));
    count_.fetch_sub(1, std::memory_order_relaxed);
    bytes_.fetch_sub(s.object_size, std::memory_order_relaxed);
    returned_.fetch_add(s.object_size, std::memory_order_relaxed);
    release_stuck();
    if (!os::release(s.mapping, s.mapping_bytes))
        keep_stuck(s);
}

// No more mappings are to be had, and a hole would be one: the memory goes back, the address space later.
void huge_tier::keep_stuck(span& s) noexcept {
    os::purge(s.base, s.object_size);
    span* first = stuck_.load(std::memory_order_relaxed);
    do
        s.next = first;
    while (!stuck_.compare_exchange_weak(first, &s, std::memory_order_release, std::memory_order_relaxed));
}

void huge_tier::release_stuck() noexcept {
    if (stuck_.load(std::memory_order_relaxed) == nullptr)
        return;
    for (auto* s = stuck_.exchange(nullptr, std::memory_order_acquire); s != nullptr;) {
        auto* next = static_cast<span*>(s->next);
        if (!os::release(s->mapping, s->mapping_bytes))
            keep_stuck(*s);
        s = next;
    }
}

span* huge_tier::resize(span& s, size_t size) noexcept {
    const size_t header = os::page_size();
    if (size > max_request - header - base_alignment)
        return nullptr;
    const size_t old_bytes = s.mapping_bytes;
    const size_t new_bytes = header + align_up(size, header);
    if (new_bytes == old_bytes)
        return &s;
    const uintptr_t old_mapping = s.mapping;
    const uintptr_t old_base = s.base;
    const slice_count old_length = slice_count::holding(s.object_size);
    uintptr_t mapping = old_mapping;
    // Forget a place before its pages leave it, here and below: the next mmap of another thread may land
    // there.
    if (new_bytes < old_bytes)
        map_->clear(old_base, old_length);
    if (!os::resize_in_place(old_mapping, old_bytes, new_bytes)) {
        if (new_bytes < old_bytes)
            map_->set(old_base, old_length, &s, 0, {0});
        mapping = os::reserve_behind(header, new_bytes, base_alignment);
        if (mapping == 0)
            return nullptr;
        if (!map_->cover(page_source{}, mapping, new_bytes)) {
            os::release(mapping, new_bytes);
            return nullptr;
        }
        map_->clear(old_base, old_length);
        if (!os::move(old_mapping, old_bytes, mapping, new_bytes)) {
            map_->set(old_base, old_length, &s, 0, {0});
            return nullptr;
        }
    } else if (new_bytes > old_bytes && !map_->cover(page_source{}, mapping, new_bytes)) {
        os::resize_in_place(mapping, new_bytes, old_bytes);
        return nullptr;
    }
    bytes_.fetch_add(new_bytes - old_bytes, std::memory_order_relaxed); // may wrap; the sum is right
    if (new_bytes < old_bytes)
        returned_.fetch_add(old_bytes - new_bytes, std::memory_order_relaxed);
    return settle(mapping, new_bytes);
}

} // namespace lowtide
