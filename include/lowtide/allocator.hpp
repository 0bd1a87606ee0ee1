// Allocators for the containers of C++20 (the requirements: C++20 [allocator.requirements]) whose memory is a
// region's or a heap's.
//
//     lowtide::region request;
//     std::vector<int, lowtide::region_allocator<int>> numbers(request);
//
//     lowtide::heap plugin;
//     std::map<int, int, std::less<>, lowtide::heap_allocator<std::pair<const int, int>>> table(plugin);
//
// An allocator costs no virtual call and is one pointer large; where the type of a container must not depend
// on where its memory is, see lowtide/memory_resource.hpp.
#ifndef LOWTIDE_ALLOCATOR_HPP
#define LOWTIDE_ALLOCATOR_HPP

#include "lowtide/source.hpp"

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>

namespace lowtide {

/// An allocator of T whose memory comes from `Source`, lowtide::region or lowtide::heap. It refers to that by
/// its C name, so the object of the class may be moved; the region or the heap itself must be there as long
/// as what was allocated. Two are equal when they are of the same region or heap. T may be incomplete until
/// something is allocated. Thread-safe as the source is: a heap's is, a region's belongs to one thread at a
/// time.
///
/// A container stays where it was made: neither copy nor move assignment changes its allocator, so that one
/// in a connection's region never comes to refer to a request's. Assignment by move between different sources
/// thus moves the elements one by one, and may throw. A copy of a container is made in the same source,
/// unless it is given another allocator. Swapping exchanges the allocators with the elements: nothing else
/// works between different sources (C++20 [container.requirements.general]/11).
///
/// With a region, what a container gives back goes with the region, but for blocks of their own (see
/// lowtide_region_free): a container that grows leaves its former memory behind, so reserve() what it will
/// need.
template <class T, class Source>
class allocator {
    using source = detail::source<Source>;

public:
    using value_type = T;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using propagate_on_container_copy_assignment = std::false_type;
    using propagate_on_container_move_assignment = std::false_type;
    using propagate_on_container_swap = std::true_type;
    using is_always_equal = std::false_type;
    template <class U>
    struct rebind {
        using other = allocator<U, Source>;
    };
    using handle_type = typename source::handle;

    allocator(Source& from) noexcept : handle_(from.get()) {}
    /// By its C name; not null.
    explicit allocator(handle_type from) noexcept : handle_(from) {}
    template <class U>
    allocator(const allocator<U, Source>& other) noexcept : handle_(other.handle()) {}

    /// Memory for `count` objects, aligned for T. Throws std::bad_array_new_length where no array can be so
    /// large, and std::bad_alloc when there is no memory, a limit forbids it, or T's alignment is above what
    /// the source has (a region: 1 MiB).
    [[nodiscard]] T* allocate(std::size_t count) {
        if (count > PTRDIFF_MAX / sizeof(T))
            throw std::bad_array_new_length();
        void* p = source::allocate(handle_, count * sizeof(T), alignof(T));
        if (p == nullptr)
            throw std::bad_alloc();
        return static_cast<T*>(p);
    }
    /// Gives back what allocate(count) gave.
    void deallocate(T* p, std::size_t count) noexcept {
        source::deallocate(handle_, p, count * sizeof(T), alignof(T));
    }
    [[nodiscard]] std::size_t max_size() const noexcept { return PTRDIFF_MAX / sizeof(T); }
    [[nodiscard]] allocator select_on_container_copy_construction() const noexcept { return *this; }

    [[nodiscard]] handle_type handle() const noexcept { return handle_; }

private:
    handle_type handle_;
};

/// Of the same region or heap?
template <class T, class U, class Source>
[[nodiscard]] bool operator==(const allocator<T, Source>& one, const allocator<U, Source>& other) noexcept {
    return one.handle() == other.handle();
}

template <class T>
using region_allocator = allocator<T, region>;
template <class T>
using heap_allocator = allocator<T, heap>;

} // namespace lowtide

#endif
