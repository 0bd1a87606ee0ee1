// Size classes: 16-byte steps to 128 bytes, then 8 to each doubling up to 1 KiB (4.2 % mean and 11 % worst
// internal waste) and 4 up to 64 KiB (9 % and 20 %). These live in slabs. Above them, a class for every
// number of slices up to a block (2 .. 32): those objects are runs of their own, and are classes so that the
// magazines can keep a few warm. What a run has too much is never touched, and so costs address space only;
// slabs up to 256 KiB held 33 MiB where these hold 21 (64 live blocks of 16-256 KiB, each page written; 9 MiB
// of them live), because few objects of one size are in use at a time.
#pragma once

#include "base/bits.h"
#include "base/units.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace lowtide {

// 0 is "none": memory that isn't ours, or that magazines don't hold.
enum class size_class : uint8_t {};

constexpr unsigned index_of(size_class c) {
    return static_cast<unsigned>(c);
}

inline constexpr unsigned linear_classes = 8;
inline constexpr size_t linear_limit = linear_classes * min_alignment; // 128
// Up to here 8 classes to a doubling, above 4: there, few objects of each size are in use at a time, and the
// room that each class keeps (for the most that it ever had, and in magazines) outweighs what finer steps
// save. With 8 throughout, 2,000 objects to 32 KiB replaced at random took 10 % longer and 17 % more memory
// (docs/design.md).
inline constexpr size_t fine_limit = 1 * kibibyte;
inline constexpr unsigned fine_per_doubling = 8;
inline constexpr unsigned coarse_per_doubling = 4;
inline constexpr unsigned fine_classes =
    linear_classes + (floor_log2(fine_limit) - floor_log2(linear_limit)) * fine_per_doubling;
inline constexpr size_t max_slab_object = slice_size;
inline constexpr unsigned slab_classes =
    fine_classes + (floor_log2(max_slab_object) - floor_log2(fine_limit)) * coarse_per_doubling;
inline constexpr unsigned first_run_slices = max_slab_object / slice_size + 1;
inline constexpr unsigned run_classes = slices_per_block - first_run_slices + 1;
// Class numbers run from 1 to all_classes - 1.
inline constexpr unsigned all_classes = 1 + slab_classes + run_classes;
inline constexpr size_t max_class_object = block_size;

// The size of the objects of slab class `index` (1 .. slab_classes).
constexpr size_t slab_object_size(unsigned index) {
    if (index <= linear_classes)
        return index * min_alignment;
    const bool fine = index <= fine_classes;
    const unsigned steps = fine ? fine_per_doubling : coarse_per_doubling;
    const unsigned above = index - (fine ? linear_classes : fine_classes) - 1;
    const size_t from = (fine ? linear_limit : fine_limit) << above / steps;
    return from + from / steps * (above % steps + 1);
}

// The smallest class that holds `size` bytes; none above max_class_object. A size of 0 gets the smallest.
constexpr size_class class_holding(size_t size) {
    if (size > max_class_object)
        return size_class{};
    if (size <= linear_limit)
        return size_class{static_cast<uint8_t>(size == 0 ? 1 : divide_up(size, min_alignment))};
    if (size <= max_slab_object) {
        const bool fine = size <= fine_limit;
        const unsigned steps = fine ? fine_per_doubling : coarse_per_doubling;
        const size_t begin = fine ? linear_limit : fine_limit;
        const unsigned doubling = floor_log2(size - 1) - floor_log2(begin);
        const size_t from = begin << doubling;
        return size_class{static_cast<uint8_t>((fine ? linear_classes : fine_classes) + doubling * steps +
                                               divide_up(size - from, from / steps))};
    }
    return size_class{
        static_cast<uint8_t>(slab_classes + divide_up(size, slice_size) - first_run_slices + 1)};
}

constexpr bool is_run_class(size_class c) {
    return index_of(c) > slab_classes;
}

// What a slab of each class looks like.
struct class_geometry {
    uint32_t object_size = 0;
    uint32_t slices = 0;     // of a slab, or of the run
    uint32_t capacity = 0;   // objects in a slab; 1 for a run
    uint32_t reciprocal = 0; // ceil(2^32 / object_size)
};

// A slab of large objects has few of them, so that it empties and its memory can serve other classes.
constexpr unsigned min_slab_objects(size_t size) {
    return size <= 8 * kibibyte ? 8 : 4;
}
// A slab takes more slices until the tail it can't use is at most 1/8 of it. The tail is never touched, and a
// larger slab is pinned for longer: with 1/32, and 8 objects to 32 KiB, a mix of small and medium sizes
// held 3.5 % more.
inline constexpr unsigned tail_waste_share = 8;

constexpr class_geometry make_geometry(unsigned index) {
    class_geometry g;
    if (index == 0)
        return g;
    if (index > slab_classes) {
        g.slices = index - slab_classes + first_run_slices - 1;
        g.object_size = static_cast<uint32_t>(g.slices * slice_size);
        g.capacity = 1;
        return g;
    }
    const size_t size = slab_object_size(index);
    unsigned slices = static_cast<unsigned>(divide_up(min_slab_objects(size) * size, slice_size));
    while (slices < slices_per_block && (slices * slice_size) % size * tail_waste_share > slices * slice_size)
        ++slices;
    g.object_size = static_cast<uint32_t>(size);
    g.slices = slices;
    g.capacity = static_cast<uint32_t>(slices * slice_size / size);
    g.reciprocal = static_cast<uint32_t>(divide_up(size_t{1} << 32, size));
    return g;
}

inline constexpr std::array<class_geometry, all_classes> geometries = [] {
    std::array<class_geometry, all_classes> table{};
    for (unsigned i = 1; i < all_classes; ++i)
        table[i] = make_geometry(i);
    return table;
}();

constexpr const class_geometry& geometry_of(size_class c) {
    return geometries[index_of(c)];
}
constexpr size_t object_size(size_class c) {
    return geometry_of(c).object_size;
}

// The smallest class whose objects hold `size` bytes and are all aligned, a run class perhaps: slabs begin at
// slices, so an object is if its class's size is a multiple of the alignment (a power of two up to
// slice_size).
constexpr size_class class_holding(size_t size, size_t alignment) {
    size_class c = class_holding(size < alignment ? alignment : align_up(size, alignment));
    while (!is_run_class(c) && object_size(c) % alignment != 0)
        c = size_class{static_cast<uint8_t>(index_of(c) + 1)};
    return c;
}

// May an object of `room` bytes stay where it is when it is to hold `size`? That costs at most as many bytes
// as it has left.
constexpr bool wastes_little(size_t room, size_t size) {
    return size <= room && size >= room / 2;
}

// Objects of these sizes lie on cache lines together: so many of them fill whole ones.
inline constexpr size_t cache_line = 64;
constexpr bool shares_cache_line(size_class c) {
    return index_of(c) * min_alignment < cache_line;
}
constexpr unsigned objects_on_whole_lines(size_class c) {
    return shares_cache_line(c) ? (object_size(c) == cache_line / 2 ? 2 : 4) : 1;
}

static_assert([] {
    size_t previous = 0;
    for (unsigned i = 1; i < all_classes; ++i) {
        const class_geometry& g = geometries[i];
        if (g.object_size <= previous || g.object_size % min_alignment != 0 || g.slices > slices_per_block)
            return false;
        if (index_of(class_holding(g.object_size)) != i || index_of(class_holding(previous + 1)) != i)
            return false;
        if (i <= slab_classes && g.capacity < min_slab_objects(g.object_size))
            return false;
        previous = g.object_size;
    }
    return previous == max_class_object;
}());

} // namespace lowtide
