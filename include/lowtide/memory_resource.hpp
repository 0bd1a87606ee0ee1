// Memory resources for std::pmr (C++20 [mem.res]) over regions, heaps and block pools.
//
//     lowtide::region request;
//     lowtide::region_resource memory(request);
//     std::pmr::map<std::pmr::string, std::pmr::string> headers(&memory);
//
// Each refers to what it is over by its C name: the object of the class may be moved, but the region, heap or
// pool must be there as long as the resource is used. Thread-safe as that is: heaps and pools are, a region
// is used by one thread at a time. Two resources are equal when they are over the same one.
//
// allocate() throws std::bad_alloc when there is no memory, a limit forbids it, or the alignment, a power of
// two, is above what there is; then nothing has changed, and errno says why. deallocate() does not throw.
#ifndef LOWTIDE_MEMORY_RESOURCE_HPP
#define LOWTIDE_MEMORY_RESOURCE_HPP

#include "lowtide/block_pool.hpp"
#include "lowtide/source.hpp"

#include <cstddef>
#include <memory_resource>
#include <new>

namespace lowtide {

namespace detail {

/// The same resource, as far as its type is concerned; null: another.
template <class Resource>
const Resource* as(const std::pmr::memory_resource& other) noexcept {
#ifdef __cpp_rtti
    return dynamic_cast<const Resource*>(&other);
#else
    static_cast<void>(other);
    return nullptr; // equal is only what is identical, which is asked before
#endif
}

template <class Source>
class source_resource : public std::pmr::memory_resource {
public:
    explicit source_resource(Source& from) noexcept : handle_(from.get()) {}
    /// By its C name; not null.
    explicit source_resource(typename source<Source>::handle from) noexcept : handle_(from) {}

    [[nodiscard]] typename source<Source>::handle handle() const noexcept { return handle_; }

protected:
    void* do_allocate(std::size_t size, std::size_t alignment) override {
        void* p = source<Source>::allocate(handle_, size, alignment);
        if (p == nullptr)
            throw std::bad_alloc();
        return p;
    }
    void do_deallocate(void* p, std::size_t size, std::size_t alignment) override {
        source<Source>::deallocate(handle_, p, size, alignment);
    }
    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        if (this == &other)
            return true;
        const auto* same = as<source_resource>(other);
        return same != nullptr && same->handle_ == handle_;
    }

private:
    typename source<Source>::handle handle_;
};

} // namespace detail

/// Of a region: alignments up to 1 MiB. deallocate() frees blocks of their own (see lowtide_region_free); all
/// else goes with the region.
class region_resource final : public detail::source_resource<region> {
    using source_resource::source_resource;
};

/// Of a heap: any alignment.
class heap_resource final : public detail::source_resource<heap> {
    using source_resource::source_resource;
};

/// Of a block pool: each allocation up to the size of a block, and with an alignment up to that of blocks,
/// has a block to itself, however small it is. So this is for what needs memory by the block: a body in a
/// std::pmr::vector, or the buffers of a std::pmr::monotonic_buffer_resource.
///
/// What is larger, or aligned more, is `upstream`'s, which must be there as long; by default there is none,
/// and it can't be had: a pool is there to bound memory, which an upstream of everybody's would undo unseen.
/// When the pool has no block left that is std::bad_alloc, and the upstream isn't asked: deallocate() knows
/// by the size alone whose something is.
///
///     lowtide::block_pool bodies({.name = "bodies", .block_size = 2 << 20});
///     lowtide::block_pool_resource memory(bodies);
///     std::pmr::vector<char> body(&memory);
///     body.reserve(bodies.block_size());
class block_pool_resource final : public std::pmr::memory_resource {
public:
    explicit block_pool_resource(
        block_pool& pool, std::pmr::memory_resource* upstream = std::pmr::null_memory_resource()) noexcept
        : block_pool_resource(pool.get(), upstream) {}
    /// By its C name; not null.
    explicit block_pool_resource(lowtide_block_pool* pool, std::pmr::memory_resource* upstream =
                                                               std::pmr::null_memory_resource()) noexcept
        : pool_(pool), upstream_(upstream) {
        block_pool_statistics s{};
        s.size = sizeof(s);
        lowtide_block_pool_stats(pool, &s);
        block_size_ = s.block_size;
    }

    [[nodiscard]] lowtide_block_pool* handle() const noexcept { return pool_; }
    [[nodiscard]] std::pmr::memory_resource* upstream_resource() const noexcept { return upstream_; }
    /// Bytes up to which an allocation is a block.
    [[nodiscard]] std::size_t block_size() const noexcept { return block_size_; }
    /// What every block is aligned to at least, in bytes.
    [[nodiscard]] std::size_t block_alignment() const noexcept {
        constexpr std::size_t most = 2 << 20;
        constexpr std::size_t page = 4096;
        if (block_size_ % most == 0)
            return most;
        return (block_size_ & (block_size_ - 1)) == 0 ? block_size_ : page;
    }

protected:
    void* do_allocate(std::size_t size, std::size_t alignment) override {
        if (!is_block(size, alignment))
            return upstream_->allocate(size, alignment);
        void* p = lowtide_block_pool_take(pool_, "memory_resource");
        if (p == nullptr)
            throw std::bad_alloc();
        return p;
    }
    void do_deallocate(void* p, std::size_t size, std::size_t alignment) override {
        if (is_block(size, alignment))
            lowtide_block_pool_give(pool_, p);
        else
            upstream_->deallocate(p, size, alignment);
    }
    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        if (this == &other)
            return true;
        const auto* same = detail::as<block_pool_resource>(other);
        return same != nullptr && same->pool_ == pool_ && same->upstream_->is_equal(*upstream_);
    }

private:
    [[nodiscard]] bool is_block(std::size_t size, std::size_t alignment) const noexcept {
        return size <= block_size_ && alignment <= block_alignment();
    }

    lowtide_block_pool* pool_;
    std::pmr::memory_resource* upstream_;
    std::size_t block_size_ = 0;
};

} // namespace lowtide

#endif
