// Smart pointers of heaps, in the library itself.
#include "lowtide/smart_pointer.hpp"

#include "pool/smart_pointer_requirements.h"

#include <cstddef>
#include <gtest/gtest.h>
#include <limits>
#include <new>
#include <stdexcept>

namespace lowtide::test {
namespace {

class heap_pointers {
public:
    heap& one() { return one_; }
    std::size_t used_of_one() const { return one_.stats().live; }
    bool nothing_is_left() const { return one_.stats().objects == 0; }

private:
    heap one_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(heap, smart_pointer_requirements, heap_pointers);

TEST(heap_pointer, arrays_are_destroyed_and_freed) {
    heap h;
    auto p = lowtide::make_unique<counted[]>(h, 100);
    EXPECT_EQ(counted::alive, 100);
    EXPECT_EQ(p[99].value, 0);
    EXPECT_EQ(p.get_deleter().size(), 100U);
    EXPECT_TRUE(h.owns(p.get()));
    p.reset();
    EXPECT_EQ(counted::alive, 0);
    EXPECT_EQ(h.stats().objects, 0U);
    const auto zeroed = lowtide::make_unique<const int[]>(h, 3);
    EXPECT_EQ(zeroed[2], 0);
    const auto empty = lowtide::make_unique<counted[]>(h, 0);
    EXPECT_NE(empty, nullptr);
}

TEST(heap_pointer, arrays_whose_elements_throw_leave_nothing) {
    struct third_throws {
        third_throws() {
            if (counted::alive > 2)
                throw std::runtime_error("not made");
        }
        counted member;
    };
    heap h;
    EXPECT_THROW(static_cast<void>(lowtide::make_unique<third_throws[]>(h, 10)), std::runtime_error);
    EXPECT_EQ(counted::alive, 0);
    EXPECT_EQ(h.stats().objects, 0U);
}

TEST(heap_pointer, arrays_that_cannot_be_are_bad_alloc) {
    heap h;
    EXPECT_THROW(static_cast<void>(lowtide::make_unique<int[]>(h, std::numeric_limits<std::size_t>::max())),
                 std::bad_array_new_length);
    EXPECT_THROW(static_cast<void>(lowtide::make_unique<char[]>(h, PTRDIFF_MAX)), std::bad_alloc);
}

} // namespace
} // namespace lowtide::test
