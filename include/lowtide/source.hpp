// What allocators, memory resources and smart pointers need to know of what they get memory from: a region or
// a heap, by its C name. Included by their headers; nothing here is for anybody else.
#ifndef LOWTIDE_SOURCE_HPP
#define LOWTIDE_SOURCE_HPP

#include "lowtide/heap.hpp"
#include "lowtide/region.hpp"

#include <cstddef>

namespace lowtide::detail {

template <class Source>
struct source;

template <>
struct source<region> {
    using handle = lowtide_region*;

    /// Null with errno where it can't be had, an alignment above LOWTIDE_REGION_MAX_ALIGNMENT included.
    static void* allocate(handle from, std::size_t size, std::size_t alignment) noexcept {
        return lowtide_region_alloc_aligned(from, alignment, size);
    }
    static void deallocate(handle to, void* object, std::size_t size, std::size_t alignment) noexcept {
        if (size > most_without_block || alignment > 16)
            lowtide_region_free(to, object);
    }

    // Up to a quarter of the largest chunk no object has a block of its own, and no region's largest chunk is
    // smaller than 512 bytes.
    static constexpr std::size_t most_without_block = 128;
};

template <>
struct source<heap> {
    using handle = lowtide_heap*;

    /// Null with errno where it can't be had.
    static void* allocate(handle from, std::size_t size, std::size_t alignment) noexcept {
        return alignment <= 16 && (alignment & (alignment - 1)) == 0 && alignment != 0
                   ? lowtide_heap_malloc(from, size)
                   : lowtide_heap_aligned_alloc(from, alignment, size);
    }
    static void deallocate(handle to, void* object, std::size_t, std::size_t) noexcept {
        lowtide_heap_free(to, object);
    }
};

template <class Source>
concept is_source = requires {
    typename source<Source>::handle;
};

} // namespace lowtide::detail

#endif
