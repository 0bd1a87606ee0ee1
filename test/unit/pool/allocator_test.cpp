// Allocators over regions: what the standard asks, and what a region's limits do to containers.
#include "lowtide/allocator.hpp"

#include "pool/allocator_requirements.h"

#include <cstddef>
#include <gtest/gtest.h>
#include <new>
#include <utility>
#include <vector>

namespace lowtide::test {
namespace {

std::size_t used(const region& r) {
    const region_statistics s = r.stats();
    return s.held - s.free;
}

struct plain_regions {
    template <class T>
    using allocator = region_allocator<T>;
    template <class T>
    allocator<T> of_one() {
        return one_;
    }
    template <class T>
    allocator<T> of_other() {
        return other_;
    }
    std::size_t used_of_one() const { return used(one_); }
    std::size_t used_of_other() const { return used(other_); }
    // The rest goes with the region.
    bool nothing_is_left() const { return one_.stats().blocks == 0 && other_.stats().blocks == 0; }

protected:
    explicit plain_regions(const region_options& options) : one_(options), other_(options) {}

public:
    plain_regions() = default;

private:
    region one_;
    region other_;
};

// The smallest chunks that there can be: many objects have blocks of their own.
struct regions_of_small_chunks : plain_regions {
    regions_of_small_chunks() : plain_regions({.first_chunk = 512, .largest_chunk = 512}) {}
};

struct guarded_regions : plain_regions {
    guarded_regions() : plain_regions({.guarded = true}) {}
};

using all_regions = testing::Types<plain_regions, regions_of_small_chunks, guarded_regions>;
INSTANTIATE_TYPED_TEST_SUITE_P(region, allocator_requirements, all_regions);

TEST(region_allocator, is_known_by_the_c_name_so_the_region_object_may_move) {
    region second;
    region first;
    std::vector<int, region_allocator<int>> v({1, 2, 3}, first);
    second = std::move(first);
    for (int i = 0; i < 1000; ++i)
        v.push_back(i);
    EXPECT_EQ(v.get_allocator().handle(), second.get());
    EXPECT_EQ(v.get_allocator(), region_allocator<char>(second.get()));
}

TEST(region_allocator, gives_back_blocks_of_their_own) {
    region r;
    region_allocator<char> a(r);
    char* small = a.allocate(100);
    char* large = a.allocate(1 << 20);
    EXPECT_EQ(r.stats().blocks, 1U);
    a.deallocate(large, 1 << 20);
    a.deallocate(small, 100);
    EXPECT_EQ(r.stats().blocks, 0U);
}

TEST(region_allocator, a_vector_that_grows_does_not_keep_its_large_former_memory) {
    region r({.largest_chunk = 4096});
    std::vector<int, region_allocator<int>> v(r);
    for (int i = 0; i < 1'000'000; ++i)
        v.push_back(i);
    EXPECT_LT(r.stats().held, v.capacity() * sizeof(int) + 64 * 1024);
    EXPECT_EQ(v.back(), 999'999);
}

TEST(region_allocator, an_alignment_above_a_mebibyte_is_bad_alloc) {
    region r;
    region_allocator<aligned_value<LOWTIDE_REGION_MAX_ALIGNMENT>> most(r);
    auto* p = most.allocate(1);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(p) % LOWTIDE_REGION_MAX_ALIGNMENT, 0U);
    most.deallocate(p, 1);
    region_allocator<aligned_value<2 * std::size_t{LOWTIDE_REGION_MAX_ALIGNMENT}>> more(r);
    EXPECT_THROW(static_cast<void>(more.allocate(1)), std::bad_alloc);
}

TEST(region_allocator, containers_of_a_region_can_be_made_in_it_and_end_with_it) {
    using numbers = std::vector<counted, region_allocator<counted>>;
    {
        region r;
        auto& v = r.make<numbers>(r);
        v.resize(1000);
        EXPECT_EQ(counted::alive, 1000);
    }
    EXPECT_EQ(counted::alive, 0);
}

// Adds to a container until the region's limit forbids it, which must leave what was in it.
template <class Container>
void fill_to_the_limit() {
    region r({.limit = 64 * 1024});
    Container c(region_allocator<int>{r});
    int added = 0;
    auto before = elements_of(c);
    try {
        for (;; ++added) {
            if (added % 50 == 0)
                before = elements_of(c);
            add(c, added);
        }
    } catch (const std::bad_alloc&) {
    }
    EXPECT_GT(added, 100);
    const auto after = elements_of(c);
    EXPECT_EQ(after.size(), static_cast<std::size_t>(added));
    EXPECT_GT(r.stats().refused, 0U);
    EXPECT_LE(r.stats().held, 64U * 1024);
    // Again, and by copying: the limit stays, and so do the elements.
    EXPECT_THROW(
        {
            for (int i = 0; i < 10000; ++i)
                add(c, added + i);
        },
        std::bad_alloc);
    const auto full = elements_of(c);
    EXPECT_THROW(
        {
            std::vector<Container> copies;
            for (int i = 0; i < 10000; ++i)
                copies.push_back(c);
        },
        std::bad_alloc);
    EXPECT_EQ(elements_of(c), full);
    // Elsewhere there is room.
    region elsewhere;
    Container moved(std::move(c), region_allocator<int>{elsewhere});
    EXPECT_EQ(elements_of(moved), full);
    add_some(moved, 100'000, 10);
}

TEST(region_allocator, a_container_at_the_regions_limit_throws_and_is_as_it_was) {
    using all = containers<plain_regions>;
    fill_to_the_limit<all::vector>();
    fill_to_the_limit<all::deque>();
    fill_to_the_limit<all::list>();
    fill_to_the_limit<all::forward_list>();
    fill_to_the_limit<all::string>();
    fill_to_the_limit<all::set>();
    fill_to_the_limit<all::map>();
    fill_to_the_limit<all::multimap>();
    fill_to_the_limit<all::unordered_map>();
    EXPECT_EQ(counted::alive, 0);
}

TEST(region_allocator, assignment_at_the_limit_throws_and_both_can_be_destroyed) {
    using vector = containers<plain_regions>::vector;
    region large;
    region small({.limit = 8 * 1024});
    vector from(1000, counted(7), large);
    vector to(3, counted(1), small);
    EXPECT_THROW(to = from, std::bad_alloc);
    EXPECT_EQ(to, vector(3, counted(1), large));
    EXPECT_THROW(to = std::move(from), std::bad_alloc);
    EXPECT_EQ(to, vector(3, counted(1), large));
    EXPECT_EQ(from.size(), 1000U);
}

} // namespace
} // namespace lowtide::test
