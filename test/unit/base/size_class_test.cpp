// The size classes: every size has the smallest class that holds it, and what the design says of waste is
// true.
#include "base/size_class.h"

#include <gtest/gtest.h>

namespace lowtide::test {
namespace {

TEST(size_classes, every_size_gets_the_smallest_class_that_holds_it) {
    unsigned expected = 1;
    for (size_t size = 0; size <= max_class_object; ++size) {
        if (size > object_size(size_class{static_cast<uint8_t>(expected)}))
            ++expected;
        ASSERT_EQ(index_of(class_holding(size)), expected) << size;
    }
    EXPECT_EQ(expected, all_classes - 1);
}

// An index that wraps would be some other class's.
TEST(size_classes, no_class_holds_what_is_larger_than_a_block) {
    for (size_t size = max_class_object + 1; size < 64 * mebibyte; size += slice_size)
        ASSERT_EQ(class_holding(size), size_class{}) << size;
    for (const size_t size : {size_t{1} << 32, size_t{1} << 44, max_request, SIZE_MAX})
        EXPECT_EQ(class_holding(size), size_class{}) << size;
}

TEST(size_classes, steps_are_16_bytes_to_128_then_8_to_a_doubling_and_from_a_kibibyte_on_4) {
    const auto expect_steps = [](size_t from, size_t steps) {
        for (size_t step = 1; step <= steps; ++step)
            EXPECT_EQ(object_size(class_holding(from + from / steps * step)), from + from / steps * step);
        EXPECT_EQ(index_of(class_holding(2 * from)), index_of(class_holding(from)) + steps);
    };
    for (size_t size = 16; size <= 128; size += 16)
        EXPECT_EQ(object_size(class_holding(size)), size);
    for (size_t from = 128; from < 1 * kibibyte; from *= 2)
        expect_steps(from, 8);
    for (size_t from = 1 * kibibyte; from < max_slab_object; from *= 2)
        expect_steps(from, 4);
}

TEST(size_classes, waste_is_at_most_a_ninth_to_a_kibibyte_and_a_fifth_above) {
    for (size_t size = linear_limit + 1; size <= max_slab_object; ++size)
        ASSERT_LE((object_size(class_holding(size)) - size) * (size <= 1 * kibibyte ? 9 : 5),
                  object_size(class_holding(size)))
            << size;
}

TEST(size_classes, a_slab_has_room_for_its_objects_and_little_else) {
    for (unsigned i = 1; i <= slab_classes; ++i) {
        const class_geometry& g = geometries[i];
        const size_t bytes = g.slices * slice_size;
        EXPECT_GE(g.capacity, g.object_size <= 8 * kibibyte ? 8u : 4u);
        EXPECT_LE(g.slices, slices_per_block);
        EXPECT_LE(g.capacity * g.object_size, bytes);
        EXPECT_LT(bytes - g.capacity * g.object_size, g.object_size) << "one more object would fit";
        EXPECT_LE((bytes - g.capacity * g.object_size) * 8, bytes) << g.object_size;
    }
}

TEST(size_classes, the_reciprocal_divides_every_start_exactly) {
    for (unsigned i = 1; i <= slab_classes; ++i) {
        const class_geometry& g = geometries[i];
        for (uint64_t n = 0; n < g.capacity; ++n)
            ASSERT_EQ(n * g.object_size * g.reciprocal >> 32, n) << g.object_size;
    }
}

TEST(size_classes, classes_of_runs_are_whole_slices_up_to_a_block) {
    EXPECT_FALSE(is_run_class(class_holding(max_slab_object)));
    EXPECT_TRUE(is_run_class(class_holding(max_slab_object + 1)));
    for (size_t bytes = max_slab_object + slice_size; bytes <= block_size; bytes += slice_size) {
        const size_class c = class_holding(bytes);
        EXPECT_TRUE(is_run_class(c));
        EXPECT_EQ(object_size(c), bytes);
        EXPECT_EQ(geometry_of(c).slices * slice_size, bytes);
    }
}

} // namespace
} // namespace lowtide::test
