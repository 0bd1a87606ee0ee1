// Where the server's objects lie: in regions, or each by itself in malloc, for comparison.
//
// With regions a scope is a region: what is allocated in it needs no free, and goes when the scope is closed.
// With malloc a scope is nothing, and whoever allocated an object has to release it.
#pragma once

#include "lowtide/region.h"

#include <cstdarg>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <string_view>
#include <utility>

struct lowtide_block_pool;

namespace server {

enum class memory_kind { regions, malloc };

// A connection's or a request's. One thread at a time.
class scope {
public:
    /// `inside`: the scope with which this one is closed, if not before.
    static scope open(memory_kind kind, scope inside, const char* name, std::size_t first_chunk);
    void close();

    [[nodiscard]] bool frees_all() const { return region_ != nullptr; }
    [[nodiscard]] lowtide_region* region() const { return region_; }

    /// These throw std::bad_alloc.
    void* allocate(std::size_t size) {
        void* object = region_ != nullptr ? lowtide_region_alloc(region_, size) : std::malloc(size);
        if (object == nullptr)
            throw std::bad_alloc();
        return object;
    }
    template <class T, class... Arguments>
    T* make(Arguments&&... arguments) {
        return ::new (allocate(sizeof(T))) T{std::forward<Arguments>(arguments)...};
    }
    [[gnu::format(printf, 2, 0)]] std::string_view print(const char* format, va_list arguments);

    /// An object of this scope that isn't needed any more: freed by malloc, while a region just waits for its
    /// end.
    void release(const void* object) {
        if (region_ == nullptr)
            std::free(const_cast<void*>(object));
    }

private:
    lowtide_region* region_ = nullptr;
};

// The 2 MiB blocks that bodies are read into: a block pool, or malloc. All threads.
class body_blocks {
public:
    static constexpr std::size_t block_bytes = std::size_t{2} << 20;

    explicit body_blocks(memory_kind kind);
    body_blocks(const body_blocks&) = delete;
    /// Throws std::bad_alloc. With regions the block goes back when the scope is closed; else it is to be
    /// given back.
    void* take(scope owner);
    void give(void* block);
    /// False if a block was never given back.
    [[nodiscard]] bool close();

private:
    lowtide_block_pool* pool_ = nullptr;
};

} // namespace server
