// Heaps for C++20: lowtide/heap.h as a class that destroys itself. See there for what holds of every
// function.
//
//     lowtide::heap plugin("plugin");
//     void* p = plugin.allocate(100);
//     std::size_t bytes = 0;
//     plugin.walk([&](void*, std::size_t size) { bytes += size; });
//     plugin.deallocate(p);
//
// Containers on a heap: lowtide/allocator.hpp, lowtide/memory_resource.hpp. Single objects:
// lowtide/smart_pointer.hpp.
#ifndef LOWTIDE_HEAP_HPP
#define LOWTIDE_HEAP_HPP

#include "lowtide/heap.h"

#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

namespace lowtide {

using heap_statistics = lowtide_heap_statistics;

/// A heap, which this object owns: what was got from it goes with it, without that destructors run. Movable.
/// All functions are thread-safe, but for construction, destruction, moving and destroy().
class heap {
public:
    /// Throws std::bad_alloc when there is no memory. The name is copied and cut off after 31 bytes; null:
    /// "".
    explicit heap(const char* name = nullptr) : handle_(lowtide_heap_create(name)) {
        if (handle_ == nullptr)
            throw std::bad_alloc();
    }
    heap(heap&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    heap& operator=(heap&& other) noexcept {
        if (this != &other) {
            lowtide_heap_destroy(handle_);
            handle_ = std::exchange(other.handle_, nullptr);
        }
        return *this;
    }
    heap(const heap&) = delete;
    heap& operator=(const heap&) = delete;
    ~heap() { lowtide_heap_destroy(handle_); }

    /// False after destroy(), or moved from: then nothing else may be called but destroy().
    explicit operator bool() const noexcept { return handle_ != nullptr; }
    [[nodiscard]] lowtide_heap* get() const noexcept { return handle_; }

    void destroy() noexcept { lowtide_heap_destroy(std::exchange(handle_, nullptr)); }

    /// `size` bytes, not initialised; `alignment` is a power of two. Null with errno ENOMEM when there is no
    /// memory, and EINVAL for another alignment.
    [[nodiscard]] void* allocate(std::size_t size, std::size_t alignment = 16) noexcept {
        return alignment == 16 ? lowtide_heap_malloc(handle_, size)
                               : lowtide_heap_aligned_alloc(handle_, alignment, size);
    }
    /// Zeroed memory for `count` objects of `size` bytes, aligned to 16. Null as above, too when the product
    /// is too large.
    [[nodiscard]] void* allocate_zeroed(std::size_t count, std::size_t size) noexcept {
        return lowtide_heap_calloc(handle_, count, size);
    }
    /// `object` is this heap's, or null. Of the new size, perhaps elsewhere, then aligned to 16, with what
    /// was in it as far as it fits. Null when there is no memory: `object` is as it was. Size 0 frees it, and
    /// the answer is null.
    [[nodiscard]] void* reallocate(void* object, std::size_t size) noexcept {
        return lowtide_heap_realloc(handle_, object, size);
    }
    /// `object` is this heap's, or null.
    void deallocate(void* object) noexcept { lowtide_heap_free(handle_, object); }
    /// Bytes that the object may be used for.
    [[nodiscard]] std::size_t usable_size(const void* object) const noexcept {
        return lowtide_heap_usable_size(handle_, object);
    }
    /// Does this lie in memory of the heap's? So does any part of an object, and one that was freed a while
    /// ago.
    [[nodiscard]] bool owns(const void* object) const noexcept { return lowtide_heap_of(object) == handle_; }

    /// Calls visit(object, usable bytes) for every object that is in use, in no order. Where it answers an
    /// int, or what converts to one, the first answer other than 0 ends the walk and is its own answer, else
    /// 0. An exception ends the walk too, and is thrown on when no lock is held any more. `visit` may free
    /// the object that it is told of, and nothing else, and must not allocate from this heap.
    template <class Visit>
    int walk(Visit&& visit) {
        struct walker {
            std::remove_reference_t<Visit>* visit;
            std::exception_ptr failure;
        } walker{std::addressof(visit), nullptr};
        const int answer = lowtide_heap_walk(
            handle_,
            [](void* object, std::size_t size, void* data) noexcept -> int {
                auto* w = static_cast<struct walker*>(data);
                try {
                    if constexpr (std::is_void_v<decltype((*w->visit)(object, size))>) {
                        (*w->visit)(object, size);
                        return 0;
                    } else {
                        return static_cast<int>((*w->visit)(object, size));
                    }
                } catch (...) {
                    w->failure = std::current_exception();
                    return 1;
                }
            },
            &walker);
        if (walker.failure != nullptr)
            std::rethrow_exception(walker.failure);
        return answer;
    }

    [[nodiscard]] std::string_view name() const noexcept { return lowtide_heap_name(handle_); }
    [[nodiscard]] heap_statistics stats() const noexcept {
        heap_statistics s{};
        s.size = sizeof(s);
        lowtide_heap_stats(handle_, &s);
        return s;
    }

private:
    lowtide_heap* handle_ = nullptr;
};

} // namespace lowtide

#endif
