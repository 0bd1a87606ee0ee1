// Memory resources over heaps and block pools: what the standard asks, in the library itself.
#include "lowtide/memory_resource.hpp"

#include "pool/memory_resource_requirements.h"

#include <cstddef>
#include <gtest/gtest.h>
#include <memory_resource>
#include <new>
#include <utility>
#include <vector>

namespace lowtide::test {
namespace {

class heap_resources {
public:
    std::pmr::memory_resource& one() { return one_; }
    std::pmr::memory_resource& same_as_one() { return same_; }
    std::pmr::memory_resource& other() { return other_; }
    std::size_t most_bytes = 1 << 20;
    std::size_t most_alignment = 8 << 20;
    bool nothing_is_left() const { return heap_.stats().objects == 0 && other_heap_.stats().objects == 0; }

private:
    heap heap_{"one"};
    heap other_heap_{"other"};
    heap_resource one_{heap_};
    heap_resource same_{heap_.get()};
    heap_resource other_{other_heap_};
};

// `BlockSize` bytes each, aligned to `Alignment`.
template <std::size_t BlockSize, std::size_t Alignment>
class block_pool_resources {
public:
    std::pmr::memory_resource& one() { return one_; }
    std::pmr::memory_resource& same_as_one() { return same_; }
    std::pmr::memory_resource& other() { return other_; }
    std::size_t most_bytes = BlockSize;
    std::size_t most_alignment = Alignment;
    bool nothing_is_left() const {
        return one_.block_alignment() == Alignment && pool_.stats().taken == 0 &&
               other_pool_.stats().taken == 0;
    }

private:
    block_pool pool_{{.name = "one", .block_size = BlockSize, .small_pages = true}};
    block_pool other_pool_{{.name = "other", .block_size = BlockSize, .small_pages = true}};
    block_pool_resource one_{pool_};
    block_pool_resource same_{pool_.get()};
    block_pool_resource other_{other_pool_};
};

constexpr std::size_t KiB = 1024;
constexpr std::size_t MiB = 1024 * KiB;
using all_resources =
    testing::Types<heap_resources, block_pool_resources<64 * KiB, 64 * KiB>,
                   block_pool_resources<48 * KiB, 4 * KiB>, block_pool_resources<6 * MiB, 2 * MiB>>;
INSTANTIATE_TYPED_TEST_SUITE_P(library, memory_resource_requirements, all_resources);

// An upstream that notes what it is asked for.
class noting_resource : public std::pmr::memory_resource {
public:
    std::size_t allocations = 0;
    std::size_t deallocations = 0;

private:
    void* do_allocate(std::size_t size, std::size_t alignment) override {
        ++allocations;
        return std::pmr::new_delete_resource()->allocate(size, alignment);
    }
    void do_deallocate(void* p, std::size_t size, std::size_t alignment) override {
        ++deallocations;
        std::pmr::new_delete_resource()->deallocate(p, size, alignment);
    }
    bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

TEST(block_pool_resource, gives_a_block_to_what_is_not_larger_and_the_rest_to_its_upstream) {
    block_pool pool({.block_size = 64 * KiB});
    noting_resource upstream;
    block_pool_resource memory(pool, &upstream);
    EXPECT_EQ(memory.upstream_resource(), &upstream);
    void* small = memory.allocate(1);
    void* whole = memory.allocate(64 * KiB, 64 * KiB);
    EXPECT_EQ(pool.stats().taken, 2U);
    EXPECT_EQ(upstream.allocations, 0U);
    void* larger = memory.allocate(64 * KiB + 1);
    void* aligned_more = memory.allocate(1, 128 * KiB);
    EXPECT_EQ(pool.stats().taken, 2U);
    EXPECT_EQ(upstream.allocations, 2U);
    memory.deallocate(small, 1);
    memory.deallocate(whole, 64 * KiB, 64 * KiB);
    memory.deallocate(larger, 64 * KiB + 1);
    memory.deallocate(aligned_more, 1, 128 * KiB);
    EXPECT_EQ(pool.stats().taken, 0U);
    EXPECT_EQ(upstream.deallocations, 2U);
}

TEST(block_pool_resource, has_no_upstream_unless_it_is_given_one) {
    block_pool pool({.block_size = 64 * KiB});
    block_pool_resource memory(pool);
    EXPECT_EQ(memory.upstream_resource(), std::pmr::null_memory_resource());
    EXPECT_THROW(static_cast<void>(memory.allocate(64 * KiB + 1)), std::bad_alloc);
    EXPECT_EQ(pool.stats().taken, 0U);
}

TEST(block_pool_resource, a_pool_without_blocks_is_bad_alloc_and_not_asked_of_the_upstream) {
    block_pool pool({.block_size = 64 * KiB, .max_blocks = 2});
    noting_resource upstream;
    block_pool_resource memory(pool, &upstream);
    std::pmr::vector<char> one(100, 'x', &memory);
    std::pmr::vector<char> two(100, 'y', &memory);
    EXPECT_THROW(std::pmr::vector<char>(100, 'z', &memory), std::bad_alloc);
    EXPECT_THROW(one.resize(200), std::bad_alloc); // it would need both for a moment
    EXPECT_EQ(one.size(), 100U);
    EXPECT_EQ(one.back(), 'x');
    EXPECT_EQ(upstream.allocations, 0U);
}

TEST(block_pool_resource, is_equal_only_with_an_equal_upstream) {
    block_pool pool({.block_size = 64 * KiB});
    noting_resource upstream;
    const block_pool_resource one(pool);
    const block_pool_resource two(pool, &upstream);
    const block_pool_resource three(pool, &upstream);
    EXPECT_FALSE(one.is_equal(two) || two.is_equal(one));
    EXPECT_TRUE(two.is_equal(three));
}

TEST(block_pool_resource, is_known_by_the_c_name_so_the_pool_object_may_move) {
    block_pool second({.block_size = 64 * KiB});
    block_pool first({.block_size = 64 * KiB});
    block_pool_resource memory(first);
    std::pmr::vector<int> v({1, 2, 3}, &memory);
    second = std::move(first);
    EXPECT_EQ(memory.handle(), second.get());
    EXPECT_EQ(second.stats().taken, 1U);
}

TEST(heap_resource, objects_are_the_heaps) {
    heap h;
    heap_resource memory(h);
    std::pmr::vector<int> v({1, 2, 3}, &memory);
    EXPECT_TRUE(h.owns(v.data()));
    const heap_resource of_handle(h.get());
    EXPECT_TRUE(memory.is_equal(of_handle));
}

} // namespace
} // namespace lowtide::test
