// lowtide::heap.
#include "lowtide/heap.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <set>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace lowtide::test {
namespace {

static_assert(!std::is_copy_constructible_v<heap> && !std::is_copy_assignable_v<heap>);
static_assert(std::is_nothrow_move_constructible_v<heap> && std::is_nothrow_move_assignable_v<heap>);
static_assert(!std::is_convertible_v<const char*, heap> && !std::is_convertible_v<heap, bool>);

TEST(heap_class, allocates_reallocates_and_frees) {
    heap h("mine");
    EXPECT_EQ(h.name(), "mine");
    auto* p = static_cast<char*>(h.allocate(100));
    ASSERT_NE(p, nullptr);
    EXPECT_TRUE(h.owns(p));
    EXPECT_GE(h.usable_size(p), 100U);
    std::memset(p, 'x', 100);
    p = static_cast<char*>(h.reallocate(p, 100'000));
    ASSERT_NE(p, nullptr);
    EXPECT_EQ(std::string(p, 100), std::string(100, 'x'));
    EXPECT_EQ(h.stats().objects, 1U);
    EXPECT_GE(h.stats().live, 100'000U);
    EXPECT_GE(h.stats().held, h.stats().live);
    EXPECT_EQ(h.reallocate(p, 0), nullptr);
    EXPECT_EQ(h.stats().objects, 0U);
    h.deallocate(nullptr);
    const auto* zeroed = static_cast<unsigned char*>(h.allocate_zeroed(10, 10));
    EXPECT_EQ(zeroed[0] + zeroed[99], 0);
}

TEST(heap_class, aligns_to_any_power_of_two) {
    heap h;
    for (std::size_t alignment = 1; alignment <= std::size_t{8} << 20; alignment *= 2) {
        void* p = h.allocate(10, alignment);
        ASSERT_NE(p, nullptr) << alignment;
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(p) % alignment, 0U);
        h.deallocate(p);
    }
    errno = 0;
    EXPECT_EQ(h.allocate(10, 24), nullptr);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_EQ(h.allocate(10, 0), nullptr);
}

TEST(heap_class, what_cannot_be_had_is_null) {
    heap h;
    EXPECT_EQ(h.allocate(PTRDIFF_MAX), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    EXPECT_EQ(h.allocate(SIZE_MAX, 64), nullptr);
    EXPECT_EQ(h.allocate_zeroed(SIZE_MAX / 2, 3), nullptr);
    EXPECT_EQ(h.stats().objects, 0U);
}

TEST(heap_class, moves_with_all_that_is_in_it) {
    heap first("first");
    void* p = first.allocate(10);
    heap second(std::move(first));
    EXPECT_FALSE(first);
    EXPECT_TRUE(second.owns(p));
    heap third("third");
    static_cast<void>(third.allocate(10)); // goes with what third was
    third = std::move(second);
    EXPECT_EQ(third.name(), "first");
    EXPECT_TRUE(third.owns(p));
    heap& itself = third;
    third = std::move(itself);
    EXPECT_TRUE(third.owns(p));
    first = heap("again");
    EXPECT_EQ(first.name(), "again");
    third.destroy();
    EXPECT_FALSE(third);
    third.destroy();
}

TEST(heap_class, owns_nothing_of_others) {
    heap h;
    heap other;
    int local = 0;
    EXPECT_FALSE(h.owns(other.allocate(10)));
    EXPECT_FALSE(h.owns(&local));
    EXPECT_FALSE(h.owns(std::string(100, 'x').data()));
}

TEST(heap_class, walks_over_all_objects_with_any_callable) {
    heap h;
    std::set<void*> made;
    for (const std::size_t size : {1U, 100U, 5000U, 3U << 20})
        made.insert(h.allocate(size));
    std::set<void*> seen;
    std::size_t bytes = 0;
    EXPECT_EQ(h.walk([&](void* object, std::size_t size) {
        seen.insert(object);
        bytes += size;
    }),
              0);
    EXPECT_EQ(seen, made);
    EXPECT_EQ(bytes, h.stats().live);
    int calls = 0;
    EXPECT_EQ(h.walk([&](void*, std::size_t) { return ++calls == 2 ? 7 : 0; }), 7);
    EXPECT_EQ(calls, 2);
    const auto never = [](void*, std::size_t) { return false; };
    EXPECT_EQ(h.walk(never), 0);
    int (*function)(void*, std::size_t) = [](void*, std::size_t) { return 3; };
    EXPECT_EQ(h.walk(function), 3);
}

TEST(heap_class, an_exception_ends_the_walk_and_the_heap_is_in_order) {
    heap h;
    for (int i = 0; i < 10; ++i)
        static_cast<void>(h.allocate(100));
    int calls = 0;
    EXPECT_THROW(h.walk([&](void*, std::size_t) {
        if (++calls == 3)
            throw std::runtime_error("enough");
    }),
                 std::runtime_error);
    EXPECT_EQ(calls, 3);
    h.walk([&](void* object, std::size_t) { h.deallocate(object); }); // of what it is told
    EXPECT_EQ(h.stats().objects, 0U);
    h.deallocate(h.allocate(100));
}

} // namespace
} // namespace lowtide::test
