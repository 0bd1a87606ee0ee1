// Which addresses belong to a live block: no two may overlap. Its own memory is mapped beforehand, so that it
// neither disturbs the allocator under test nor fails when memory is short.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory_resource>
#include <mutex>
#include <optional>

namespace stress {

class registry {
public:
    registry();
    ~registry();
    registry(const registry&) = delete;
    registry& operator=(const registry&) = delete;

    // Fails the test when a byte of [p, p+size) belongs to a block already. Between an allocation and
    // claim(), and between release() and a deallocation, nobody else can get those bytes from a correct
    // allocator.
    void claim(const void* p, size_t size);
    void release(const void* p, size_t size);

private:
    // Locked by address, so that threads rarely meet: a block has an entry in the shard of each stretch it
    // touches.
    static constexpr unsigned shard_count = 64;
    static constexpr uintptr_t stretch = uintptr_t{2} << 20;

    using intervals = std::pmr::map<uintptr_t, uintptr_t>; // first byte to one past the last

    struct alignas(64) shard {
        std::mutex mutex;
        std::optional<std::pmr::monotonic_buffer_resource> memory;
        std::optional<std::pmr::unsynchronized_pool_resource> pool;
        std::optional<intervals> live;
    };

    template <typename Visit>
    void for_each_piece(const void* p, size_t size, Visit visit);

    void* memory_;
    shard shards_[shard_count];
};

} // namespace stress
