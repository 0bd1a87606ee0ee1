// Regions for C++20: lowtide/region.h as a class that destroys itself, with objects that have destructors.
// See there for what holds of every function.
//
//     lowtide::region connection;
//     lowtide::region request(connection, {.name = "request"});
//     auto& headers = request.make<std::map<std::string, std::string>>();
#ifndef LOWTIDE_REGION_HPP
#define LOWTIDE_REGION_HPP

#include "lowtide/region.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>

namespace lowtide {

/// What a region is to be like: lowtide_region_options, field by field. What is left out has the value that
/// is named there. (Members with initializers: g++ -Wextra warns of others that are left out.)
struct region_options {
    const char* name = nullptr;
    std::size_t first_chunk = 0;
    std::size_t largest_chunk = 0;
    std::size_t limit = 0;
    unsigned warm_chunks = 0;
    bool guarded = false;
};

using region_statistics = lowtide_region_statistics;

namespace detail {

// The first exception of a cleanup that the running region::destroy() or reset() calls.
inline thread_local std::exception_ptr* cleanup_failure = nullptr;

// Runs what may throw where nothing may. With nobody to tell: std::terminate, as when a destructor throws.
template <class F>
void run_cleanup(F&& run) noexcept {
    std::exception_ptr* failure = cleanup_failure;
    if (failure == nullptr)
        return std::forward<F>(run)();
    try {
        std::forward<F>(run)();
    } catch (...) {
        if (*failure == nullptr)
            *failure = std::current_exception();
    }
}

// With braces where parentheses don't do: aggregates, for compilers before C++20's P0960 (clang 14).
template <class T, class... Arguments>
T* construct(void* at, Arguments&&... arguments) {
    if constexpr (std::is_constructible_v<T, Arguments...>)
        return ::new (at) T(std::forward<Arguments>(arguments)...);
    else
        return ::new (at) T{std::forward<Arguments>(arguments)...};
}

} // namespace detail

/// A region, which this object owns: it is destroyed with it, or with its parent, whichever comes first.
/// Movable. Use by one thread at a time, as in C.
///
/// Cleanups that throw: all others still run, each once. reset() and destroy() throw the first exception when
/// all is done; the destructor, and lowtide_region_destroy() called from C, end in std::terminate.
class region {
public:
    /// Throws std::bad_alloc when there is no memory, or an option is wrong.
    explicit region(const region_options& options = {}) : region(nullptr, options) {}
    /// Throws std::invalid_argument for a parent that is destroyed, or was moved from.
    explicit region(region& parent, const region_options& options = {})
        : region(parent.valid_handle(), options) {}
    /// Of a parent that is known by its C name; null: none.
    region(lowtide_region* parent, const region_options& options) {
        lowtide_region_options o{};
        o.size = sizeof(o);
        o.name = options.name;
        o.first_chunk = options.first_chunk;
        o.largest_chunk = options.largest_chunk;
        o.limit = options.limit;
        o.warm_chunks = options.warm_chunks;
        o.guarded = options.guarded ? 1 : 0;
        handle_ = lowtide_region_create(parent, &o);
        if (handle_ == nullptr)
            throw std::bad_alloc();
        lowtide_region_set_handle(handle_, &handle_);
    }
    region(region&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) { follow(); }
    region& operator=(region&& other) noexcept {
        if (this != &other) {
            let_go();
            handle_ = std::exchange(other.handle_, nullptr);
            follow();
        }
        return *this;
    }
    region(const region&) = delete;
    region& operator=(const region&) = delete;
    ~region() { let_go(); }

    /// False after it was destroyed, or moved from: then nothing else may be called but destroy().
    explicit operator bool() const noexcept { return handle_ != nullptr; }
    [[nodiscard]] lowtide_region* get() const noexcept { return handle_; }

    void destroy() {
        emptying([this] { lowtide_region_destroy(handle_); });
    }
    void reset() {
        emptying([this] { lowtide_region_reset(handle_); });
    }

    /// See lowtide_region_alloc_aligned: null when there is no memory.
    [[nodiscard]] void* allocate(std::size_t size, std::size_t alignment = 16) noexcept {
        return lowtide_region_alloc_aligned(handle_, alignment, size);
    }
    bool free(void* object) noexcept { return lowtide_region_free(handle_, object) != 0; }

    /// A T that is destroyed with the region (by a cleanup, if its destructor does anything). Throws
    /// std::bad_alloc, or what its constructor throws.
    template <class T, class... Arguments>
    T& make(Arguments&&... arguments) {
        T* object = detail::construct<T>(need(sizeof(T), alignof(T)), std::forward<Arguments>(arguments)...);
        // Only now: what the constructor made in the region lives longer than the object.
        if constexpr (!std::is_trivially_destructible_v<T>)
            add_cleanup_of(object,
                           [](void* data) { detail::run_cleanup([data] { static_cast<T*>(data)->~T(); }); });
        return *object;
    }

    /// `count` objects, value-initialised. Throws std::bad_alloc.
    template <class T>
    requires std::is_trivially_destructible_v<T>
    [[nodiscard]] T* make_array(std::size_t count) {
        if (count > PTRDIFF_MAX / sizeof(T))
            throw std::bad_alloc();
        auto* objects = static_cast<T*>(need(count * sizeof(T), alignof(T)));
        std::uninitialized_value_construct_n(objects, count);
        return objects;
    }

    /// Has run() called when the region is reset or destroyed, before what was added earlier. It may throw.
    /// Throws std::bad_alloc.
    template <class F>
    void on_destroy(F&& run) {
        struct action {
            std::decay_t<F> call;
        };
        auto* a = ::new (need(sizeof(action), alignof(action))) action{std::forward<F>(run)};
        add_cleanup_of(a, [](void* data) {
            auto* it = static_cast<action*>(data);
            detail::run_cleanup([it] { it->call(); });
            it->~action();
        });
    }

    /// A copy, with a NUL behind it that isn't counted. Throws std::bad_alloc.
    [[nodiscard]] std::string_view copy(std::string_view text) {
        auto* to = static_cast<char*>(need(text.size() + 1, 1));
        if (!text.empty())
            std::memcpy(to, text.data(), text.size());
        to[text.size()] = '\0';
        return {to, text.size()};
    }

    [[nodiscard]] std::string_view name() const noexcept { return lowtide_region_name(handle_); }
    [[nodiscard]] region_statistics stats() const noexcept {
        region_statistics s{};
        s.size = sizeof(s);
        lowtide_region_stats(handle_, &s);
        return s;
    }

private:
    [[nodiscard]] lowtide_region* valid_handle() const {
        if (handle_ == nullptr)
            throw std::invalid_argument("lowtide::region: the parent is no region any more");
        return handle_;
    }
    void follow() noexcept {
        if (handle_ != nullptr)
            lowtide_region_set_handle(handle_, &handle_);
    }
    // Destroys it, though this object may be gone before the region is: in one of its own cleanups.
    void let_go() noexcept {
        if (handle_ == nullptr)
            return;
        lowtide_region_set_handle(handle_, nullptr);
        lowtide_region_destroy(handle_);
    }
    void* need(std::size_t size, std::size_t alignment) {
        void* p = allocate(size, alignment);
        if (p == nullptr)
            throw std::bad_alloc();
        return p;
    }
    // Without memory for the cleanup there is no object.
    template <class T>
    void add_cleanup_of(T* object, void (*run)(void*)) {
        if (lowtide_region_add_cleanup(handle_, run, object) == 0)
            return;
        object->~T();
        throw std::bad_alloc();
    }
    template <class F>
    static void emptying(F&& run) {
        std::exception_ptr failure;
        std::exception_ptr* outer = std::exchange(detail::cleanup_failure, &failure);
        run();
        detail::cleanup_failure = outer;
        if (failure != nullptr)
            std::rethrow_exception(failure);
    }

    lowtide_region* handle_ = nullptr;
};

} // namespace lowtide

#endif
