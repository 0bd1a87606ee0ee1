// What C++20 asks of a memory resource ([mem.res.class]), and what the containers of std::pmr do with one, as
// tests for any resource: a source file instantiates them with a type that has
//
//     std::pmr::memory_resource& one(), & same_as_one(), & other();  // two objects over one thing, and
//     another std::size_t most_bytes, most_alignment;                        // that an allocation may have
//     bool nothing_is_left();                                        // has all been given back, as far as it
//     can be?
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <gtest/gtest.h>
#include <list>
#include <map>
#include <memory_resource>
#include <new>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace lowtide::test {

template <class Resources>
class memory_resource_requirements : public testing::Test {
protected:
    ~memory_resource_requirements() override { EXPECT_TRUE(resources.nothing_is_left()); }
    Resources resources;
};

TYPED_TEST_SUITE_P(memory_resource_requirements);

struct served {
    void* p;
    std::size_t size;
    std::size_t alignment;
};

TYPED_TEST_P(memory_resource_requirements, memory_is_aligned_and_nobody_elses) {
    auto& memory = this->resources.one();
    std::vector<served> all;
    for (std::size_t alignment = 1; alignment <= this->resources.most_alignment; alignment *= 2) {
        for (const std::size_t size :
             {std::size_t{1}, std::size_t{24}, std::size_t{4096}, this->resources.most_bytes}) {
            void* p = memory.allocate(size, alignment);
            EXPECT_EQ(reinterpret_cast<std::uintptr_t>(p) % alignment, 0U);
            std::memset(p, static_cast<int>(all.size() % 251), size);
            all.push_back({p, size, alignment});
        }
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto* bytes = static_cast<const unsigned char*>(all[i].p);
        EXPECT_TRUE(std::all_of(bytes, bytes + all[i].size, [i](unsigned char b) { return b == i % 251; }));
        memory.deallocate(all[i].p, all[i].size, all[i].alignment);
    }
}

TYPED_TEST_P(memory_resource_requirements, no_bytes_are_an_allocation_too) {
    auto& memory = this->resources.one();
    void* p = memory.allocate(0);
    EXPECT_NE(p, nullptr);
    memory.deallocate(p, 0);
}

TYPED_TEST_P(memory_resource_requirements, what_cannot_be_had_is_bad_alloc) {
    auto& memory = this->resources.one();
    volatile std::size_t all = SIZE_MAX; // compilers warn of these as constants
    volatile std::size_t half = PTRDIFF_MAX;
    volatile std::size_t far_alignment = std::size_t{1} << 62;
    EXPECT_THROW(static_cast<void>(memory.allocate(all)), std::bad_alloc);
    EXPECT_THROW(static_cast<void>(memory.allocate(all, 4096)), std::bad_alloc);
    EXPECT_THROW(static_cast<void>(memory.allocate(half, 64)), std::bad_alloc);
    EXPECT_THROW(static_cast<void>(memory.allocate(16, far_alignment)), std::bad_alloc);
    std::pmr::vector<int> v({1, 2, 3}, &memory);
    EXPECT_THROW(v.reserve(v.max_size()), std::bad_alloc);
    EXPECT_EQ(v, std::pmr::vector<int>({1, 2, 3}));
}

TYPED_TEST_P(memory_resource_requirements, equal_are_those_of_one_thing) {
    auto& one = this->resources.one();
    auto& same = this->resources.same_as_one();
    auto& other = this->resources.other();
    EXPECT_TRUE(one.is_equal(one) && one.is_equal(same) && same.is_equal(one));
    EXPECT_TRUE(one == same && !(one != same));
    EXPECT_FALSE(one.is_equal(other) || other.is_equal(one));
    EXPECT_FALSE(one.is_equal(*std::pmr::new_delete_resource()));
    EXPECT_FALSE(std::pmr::new_delete_resource()->is_equal(one));
    EXPECT_FALSE(one.is_equal(*std::pmr::null_memory_resource()));
}

TYPED_TEST_P(memory_resource_requirements, equal_ones_give_back_what_the_other_allocated) {
    auto& one = this->resources.one();
    auto& same = this->resources.same_as_one();
    for (const std::size_t size : {std::size_t{8}, std::size_t{1000}, this->resources.most_bytes}) {
        void* p = one.allocate(size, 8);
        same.deallocate(p, size, 8);
    }
}

// Fills a container of std::pmr's, copies and moves it between resources, and gives back what was in it.
template <class Container, class Resources, class Add>
void exercise(Resources& resources, Add add) {
    Container one(&resources.one());
    for (int i = 0; i < 100; ++i)
        add(one, i);
    EXPECT_EQ(one.get_allocator().resource(), &resources.one());
    const Container copy(one);
    EXPECT_EQ(copy, one);
    EXPECT_EQ(copy.get_allocator().resource(), std::pmr::get_default_resource());
    Container elsewhere(one, &resources.other());
    EXPECT_EQ(elsewhere, copy);
    Container assigned(&resources.other());
    assigned = one;
    EXPECT_EQ(assigned, copy);
    EXPECT_EQ(assigned.get_allocator().resource(), &resources.other());
    Container moved(&resources.other()); // between different resources: element by element
    moved = std::move(one);
    EXPECT_EQ(moved, copy);
    EXPECT_EQ(moved.get_allocator().resource(), &resources.other());
    one.clear();
    for (int i = 0; i < 50; ++i)
        add(one, i);
    Container stolen(&resources.same_as_one()); // between equal ones: all at once
    stolen = std::move(one);
    EXPECT_EQ(stolen.size(), 50U);
    Container partner(&resources.other());
    add(partner, 1);
    moved.swap(partner);
    EXPECT_EQ(partner, copy);
    EXPECT_EQ(moved.size(), 1U);
}

TYPED_TEST_P(memory_resource_requirements, containers_of_pmr_work) {
    auto& r = this->resources;
    exercise<std::pmr::vector<int>>(r, [](auto& c, int i) { c.push_back(i); });
    exercise<std::pmr::deque<int>>(r, [](auto& c, int i) { c.push_back(i); });
    exercise<std::pmr::list<int>>(r, [](auto& c, int i) { c.push_back(i); });
    exercise<std::pmr::string>(r, [](auto& c, int i) { c.push_back(static_cast<char>('0' + i % 10)); });
    exercise<std::pmr::map<int, std::pmr::string>>(
        r, [](auto& c, int i) { c.emplace(i, std::string(50, 'x')); });
    exercise<std::pmr::unordered_map<int, int>>(r, [](auto& c, int i) { c.emplace(i, i); });
}

TYPED_TEST_P(memory_resource_requirements, elements_are_in_the_resource_of_their_container) {
    std::pmr::vector<std::pmr::string> lines(&this->resources.one());
    for (int i = 0; i < 20; ++i)
        lines.emplace_back("a line that is too long to be kept in the string itself");
    EXPECT_EQ(lines.back().get_allocator().resource(), &this->resources.one());
}

TYPED_TEST_P(memory_resource_requirements, resources_of_the_standard_library_stand_upon_it) {
    auto& memory = this->resources.one();
    std::pmr::monotonic_buffer_resource arena(1000, &memory);
    std::pmr::unsynchronized_pool_resource pools(
        {.max_blocks_per_chunk = 16, .largest_required_pool_block = 256}, &memory);
    std::pmr::vector<int> v(&arena);
    std::pmr::list<std::pmr::string> l(&pools);
    for (int i = 0; i < 200; ++i) {
        v.push_back(i);
        l.emplace_back("a text that is too long to be kept in the string itself");
    }
    EXPECT_EQ(v.back(), 199);
    EXPECT_EQ(l.size(), 200U);
}

REGISTER_TYPED_TEST_SUITE_P(memory_resource_requirements, memory_is_aligned_and_nobody_elses,
                            no_bytes_are_an_allocation_too, what_cannot_be_had_is_bad_alloc,
                            equal_are_those_of_one_thing, equal_ones_give_back_what_the_other_allocated,
                            containers_of_pmr_work, elements_are_in_the_resource_of_their_container,
                            resources_of_the_standard_library_stand_upon_it);

} // namespace lowtide::test
