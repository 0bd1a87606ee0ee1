// Block pools for C++20: lowtide/block_pool.h as a class that destroys itself, with blocks that go back by
// themselves. See there for what holds of every function.
//
//     lowtide::block_pool bodies({.name = "bodies", .block_size = 2 << 20, .max_blocks = 1000});
//     if (lowtide::block body = bodies.take("upload"))
//         std::memcpy(body.data(), text, length);
//
// Only the constructor of block_pool throws. A take that fails answers with an empty block, or null, and
// errno says why, as in C: a server that has no block left turns a request down, which is no exception.
#ifndef LOWTIDE_BLOCK_POOL_HPP
#define LOWTIDE_BLOCK_POOL_HPP

#include "lowtide/block_pool.h"

#include <chrono>
#include <climits>
#include <cstddef>
#include <new>
#include <span>
#include <utility>

namespace lowtide {

using block_pool_statistics = lowtide_block_pool_statistics;

/// What a pool is to be like: lowtide_block_pool_options, field by field. What is left out has the value that
/// is named there.
struct block_pool_options {
    const char* name = nullptr;
    std::size_t block_size = 0; // bytes; has to be given
    std::size_t max_blocks = 0;
    std::size_t low_watermark = 0;
    std::size_t high_watermark = 0;
    unsigned return_ms = 0;
    unsigned prepopulate = 0;
    bool small_pages = false;
    unsigned numa_node = 0;
};

/// A block of a pool, which this object owns and gives back when it goes; or none. Movable, and as large as
/// three pointers. It refers to the pool by its C name, so the block_pool may be moved meanwhile. Giving back
/// is thread-safe, whichever thread took the block; one `block` is used by one thread at a time.
class [[nodiscard]] block {
public:
    /// None.
    block() noexcept = default;
    /// Owns `data`, a block of `size` bytes that was taken from `pool`; null: none.
    block(lowtide_block_pool* pool, void* data, std::size_t size) noexcept
        : pool_(pool), data_(data), size_(data == nullptr ? 0 : size) {}
    block(block&& other) noexcept
        : pool_(other.pool_), data_(std::exchange(other.data_, nullptr)),
          size_(std::exchange(other.size_, 0)) {}
    block& operator=(block&& other) noexcept {
        block taken(std::move(other));
        swap(taken);
        return *this;
    }
    block(const block&) = delete;
    block& operator=(const block&) = delete;
    ~block() { reset(); }

    /// Is there a block?
    explicit operator bool() const noexcept { return data_ != nullptr; }
    /// Its beginning; null where there is none.
    [[nodiscard]] void* data() const noexcept { return data_; }
    /// Bytes, as the pool has rounded them up; 0 where there is none.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::span<std::byte> bytes() const noexcept {
        return {static_cast<std::byte*>(data_), size_};
    }

    /// Gives it back now. With none: nothing.
    void reset() noexcept {
        if (data_ != nullptr)
            lowtide_block_pool_give(pool_, std::exchange(data_, nullptr));
        size_ = 0;
    }
    /// Leaves the block to the caller, who gives it back with block_pool::give or owns it again with
    /// block_pool::own. Null where there is none.
    [[nodiscard]] void* release() noexcept {
        size_ = 0;
        return std::exchange(data_, nullptr);
    }

    void swap(block& other) noexcept {
        std::swap(pool_, other.pool_);
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
    }
    friend void swap(block& one, block& other) noexcept { one.swap(other); }

private:
    lowtide_block_pool* pool_ = nullptr;
    void* data_ = nullptr;
    std::size_t size_ = 0;
};

/// A block pool, which this object owns. Movable. All functions are thread-safe, but for construction,
/// destruction, moving and destroy().
///
/// A pool cannot go while its blocks are in use. When it is destroyed, or moved to, with blocks taken, there
/// is a report on standard error of whose they are, and the pool stays, for ever: the blocks remain what they
/// are, and can be given back. A program that would rather know calls destroy() first.
class block_pool {
public:
    /// Throws std::bad_alloc when there is no memory, or an option is wrong; errno tells which.
    explicit block_pool(const block_pool_options& options) {
        lowtide_block_pool_options o{};
        o.size = sizeof(o);
        o.name = options.name;
        o.block_size = options.block_size;
        o.max_blocks = options.max_blocks;
        o.low_watermark = options.low_watermark;
        o.high_watermark = options.high_watermark;
        o.return_ms = options.return_ms;
        o.prepopulate = options.prepopulate;
        o.small_pages = options.small_pages ? 1 : 0;
        o.numa_node = options.numa_node;
        handle_ = lowtide_block_pool_create(&o);
        if (handle_ == nullptr)
            throw std::bad_alloc();
        block_size_ = stats().block_size;
    }
    block_pool(block_pool&& other) noexcept
        : handle_(std::exchange(other.handle_, nullptr)), block_size_(other.block_size_) {}
    block_pool& operator=(block_pool&& other) noexcept {
        if (this != &other) {
            lowtide_block_pool_destroy(handle_);
            handle_ = std::exchange(other.handle_, nullptr);
            block_size_ = other.block_size_;
        }
        return *this;
    }
    block_pool(const block_pool&) = delete;
    block_pool& operator=(const block_pool&) = delete;
    ~block_pool() { lowtide_block_pool_destroy(handle_); }

    /// False after destroy(), or moved from: then nothing else may be called but destroy().
    explicit operator bool() const noexcept { return handle_ != nullptr; }
    [[nodiscard]] lowtide_block_pool* get() const noexcept { return handle_; }

    /// Gives all memory back. False with errno EBUSY when blocks are taken: then nothing has happened, but a
    /// report on standard error.
    bool destroy() noexcept {
        if (lowtide_block_pool_destroy(handle_) != 0)
            return false;
        handle_ = nullptr;
        return true;
    }

    /// A block with anything in it; or none, with errno ENOMEM or EDQUOT. `owner` is a text that stays where
    /// it is, or null: reports name the blocks by it.
    block take(const char* owner = nullptr) noexcept { return own(take_raw(owner)); }
    /// The same, but never asks the system, nor waits: errno EAGAIN then.
    block try_take(const char* owner = nullptr) noexcept { return own(try_take_raw(owner)); }
    /// The same as take, but waits so long for one to be given back when all are taken: errno ETIMEDOUT then.
    /// A negative time is for ever.
    block take_within(std::chrono::milliseconds time, const char* owner = nullptr) noexcept {
        return own(take_within_raw(time, owner));
    }

    /// The same three without an owner: what give() takes back.
    [[nodiscard]] void* take_raw(const char* owner = nullptr) noexcept {
        return lowtide_block_pool_take(handle_, owner);
    }
    [[nodiscard]] void* try_take_raw(const char* owner = nullptr) noexcept {
        return lowtide_block_pool_try_take(handle_, owner);
    }
    [[nodiscard]] void* take_within_raw(std::chrono::milliseconds time,
                                        const char* owner = nullptr) noexcept {
        const auto count = time.count() < 0 ? -1 : time.count() > INT_MAX ? INT_MAX : time.count();
        return lowtide_block_pool_take_within(handle_, owner, static_cast<int>(count));
    }
    /// Gives back a block of this pool that nobody owns. Null is nothing.
    void give(void* data) noexcept { lowtide_block_pool_give(handle_, data); }
    /// A block of this pool with an owner again. Null: none.
    block own(void* data) const noexcept { return {handle_, data, block_size_}; }

    /// Bytes of every block, as rounded up to whole pages.
    [[nodiscard]] std::size_t block_size() const noexcept { return block_size_; }
    [[nodiscard]] block_pool_statistics stats() const noexcept {
        block_pool_statistics s{};
        s.size = sizeof(s);
        lowtide_block_pool_stats(handle_, &s);
        return s;
    }
    /// Gives all free blocks but the low watermark back to the system. The bytes.
    std::size_t trim() noexcept { return lowtide_block_pool_trim(handle_); }
    /// Writes to a file descriptor what the pool has, and its taken blocks by owner. False with errno EIO.
    bool print(int fd) const noexcept { return lowtide_block_pool_print(handle_, fd) == 0; }

private:
    lowtide_block_pool* handle_ = nullptr;
    std::size_t block_size_ = 0;
};

} // namespace lowtide

#endif
