// Allocators over heaps: what the standard asks, in the library itself. A block that went back to the wrong
// heap would end the program.
#include "lowtide/allocator.hpp"

#include "pool/allocator_requirements.h"

#include <cstddef>
#include <gtest/gtest.h>
#include <thread>
#include <utility>
#include <vector>

namespace lowtide::test {
namespace {

class heaps {
public:
    template <class T>
    using allocator = heap_allocator<T>;
    template <class T>
    allocator<T> of_one() {
        return one_;
    }
    template <class T>
    allocator<T> of_other() {
        return other_;
    }
    std::size_t used_of_one() const { return one_.stats().live; }
    std::size_t used_of_other() const { return other_.stats().live; }
    bool nothing_is_left() const { return one_.stats().objects == 0 && other_.stats().objects == 0; }

private:
    heap one_{"one"};
    heap other_{"other"};
};

INSTANTIATE_TYPED_TEST_SUITE_P(heap, allocator_requirements, heaps);

TEST(heap_allocator, is_known_by_the_c_name_so_the_heap_object_may_move) {
    heap second;
    heap first;
    std::vector<int, heap_allocator<int>> v({1, 2, 3}, first);
    second = std::move(first);
    v.resize(1000);
    EXPECT_TRUE(second.owns(v.data()));
    EXPECT_EQ(v.get_allocator().handle(), second.get());
}

TEST(heap_allocator, serves_any_alignment) {
    heap h;
    heap_allocator<aligned_value<(4 << 20)>> a(h);
    auto* p = a.allocate(1);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(p) % (4 << 20), 0U);
    a.deallocate(p, 1);
}

TEST(heap_allocator, threads_use_one_heap_together) {
    heap h;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&h] {
            for (int round = 0; round < 50; ++round) {
                std::map<int, int, std::less<>, heap_allocator<std::pair<const int, int>>> m(h);
                for (int i = 0; i < 100; ++i)
                    m.emplace(i, i);
            }
        });
    }
    for (std::thread& t : threads)
        t.join();
    EXPECT_EQ(h.stats().objects, 0U);
}

} // namespace
} // namespace lowtide::test
