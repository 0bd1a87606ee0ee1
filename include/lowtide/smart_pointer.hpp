// Single objects in regions and heaps, owned by the smart pointers of C++20's <memory>.
//
//     lowtide::heap plugin;
//     auto parser = lowtide::make_unique<std::string>(plugin, "text");
//     auto shared = lowtide::allocate_shared<std::string>(plugin, "text");
//
//     lowtide::region request;
//     auto early = lowtide::make_unique<std::string>(request, "text");
//
// The pointers of a heap destroy and free their object; those of a region destroy it, before the region goes.
// The region or heap must be there as long as the last pointer. An object that is to live as long as its
// region needs no pointer to own it: see lowtide::region::make.
#ifndef LOWTIDE_SMART_POINTER_HPP
#define LOWTIDE_SMART_POINTER_HPP

#include "lowtide/allocator.hpp"

#include <concepts>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace lowtide {

namespace detail {

/// May what owns a From own it as a To? As with std::default_delete; but a base has to have a virtual
/// destructor.
template <class From, class To>
concept owned_as = std::convertible_to<From*, To*> &&
    (std::same_as<std::remove_cv_t<From>, std::remove_cv_t<To>> || std::has_virtual_destructor_v<To>);

/// Where the memory of an object begins that may be the base of another.
template <class T>
void* memory_of(T* object) noexcept {
    using plain = std::remove_cv_t<T>;
#ifdef __cpp_rtti
    if constexpr (std::is_polymorphic_v<T>)
        return dynamic_cast<void*>(const_cast<plain*>(object));
#endif
    return const_cast<plain*>(object);
}

template <class T, class Source, class... Arguments>
T* make(Source& from, Arguments&&... arguments) {
    allocator<std::remove_cv_t<T>, Source> memory(from);
    auto* place = memory.allocate(1);
    try {
        return construct<T>(place, std::forward<Arguments>(arguments)...);
    } catch (...) {
        memory.deallocate(place, 1);
        throw;
    }
}

} // namespace detail

/// Destroys an object of a heap, and frees it. Of a base with a virtual destructor too (that is not at the
/// object's beginning: only with run-time types, -frtti).
template <class T>
class heap_delete {
public:
    /// Of no heap: for null pointers.
    constexpr heap_delete() noexcept = default;
    explicit constexpr heap_delete(lowtide_heap* of) noexcept : heap_(of) {}
    template <class U>
    requires detail::owned_as<U, T>
    constexpr heap_delete(const heap_delete<U>& other) noexcept : heap_(other.handle()) {}

    void operator()(T* object) const noexcept {
        void* memory = detail::memory_of(object);
        std::destroy_at(object);
        lowtide_heap_free(heap_, memory);
    }
    [[nodiscard]] constexpr lowtide_heap* handle() const noexcept { return heap_; }

private:
    lowtide_heap* heap_ = nullptr;
};

/// The same for arrays, of which it knows the number of elements.
template <class T>
class heap_delete<T[]> {
public:
    constexpr heap_delete() noexcept = default;
    constexpr heap_delete(lowtide_heap* of, std::size_t count) noexcept : heap_(of), count_(count) {}

    void operator()(T* objects) const noexcept {
        std::destroy_n(objects, count_);
        lowtide_heap_free(heap_, const_cast<std::remove_cv_t<T>*>(objects));
    }
    [[nodiscard]] constexpr lowtide_heap* handle() const noexcept { return heap_; }
    [[nodiscard]] constexpr std::size_t size() const noexcept { return count_; }

private:
    lowtide_heap* heap_ = nullptr;
    std::size_t count_ = 0;
};

/// Destroys an object of a region, whose memory goes with the region. It has no state: a std::unique_ptr with
/// it is one pointer large.
template <class T>
struct region_delete {
    constexpr region_delete() noexcept = default;
    template <class U>
    requires detail::owned_as<U, T>
    constexpr region_delete(const region_delete<U>&) noexcept {}

    void operator()(T* object) const noexcept { std::destroy_at(object); }
};

/// A T in the heap. Throws std::bad_alloc, or what T's constructor throws; then nothing is left in the heap.
template <class T, class... Arguments>
requires(!std::is_array_v<T>)
    [[nodiscard]] std::unique_ptr<T, heap_delete<T>> make_unique(heap& from, Arguments&&... arguments) {
    return {detail::make<T>(from, std::forward<Arguments>(arguments)...), heap_delete<T>(from.get())};
}

/// `count` objects in the heap, value-initialised: make_unique<T[]>(heap, count). Throws as above.
template <class T>
requires std::is_unbounded_array_v<T>
[[nodiscard]] std::unique_ptr<T, heap_delete<T>> make_unique(heap& from, std::size_t count) {
    using element = std::remove_cv_t<std::remove_extent_t<T>>;
    allocator<element, heap> memory(from);
    element* objects = memory.allocate(count);
    try {
        std::uninitialized_value_construct_n(objects, count);
    } catch (...) {
        memory.deallocate(objects, count);
        throw;
    }
    return {objects, heap_delete<T>(from.get(), count)};
}

/// A T in the region, which the pointer destroys before the region goes; its memory stays the region's.
/// Throws std::bad_alloc, or what T's constructor throws. For arrays: lowtide::region::make_array.
template <class T, class... Arguments>
requires(!std::is_array_v<T>)
    [[nodiscard]] std::unique_ptr<T, region_delete<T>> make_unique(region& from, Arguments&&... arguments) {
    return std::unique_ptr<T, region_delete<T>>(detail::make<T>(from, std::forward<Arguments>(arguments)...));
}

/// A T (or T[], with the arguments of std::allocate_shared) that is shared, with its counters, in a region or
/// a heap: C++20 [util.smartptr.shared.create]. The last pointer destroys the object, and in a heap frees it.
/// Throws std::bad_alloc, or what T's constructor throws. The counters are atomic, but a region is used by
/// one thread at a time, also by the last pointer.
template <class T, class Source, class... Arguments>
requires detail::is_source<Source>
[[nodiscard]] std::shared_ptr<T> allocate_shared(Source& from, Arguments&&... arguments) {
    return std::allocate_shared<T>(allocator<std::byte, Source>(from), std::forward<Arguments>(arguments)...);
}

} // namespace lowtide

#endif
