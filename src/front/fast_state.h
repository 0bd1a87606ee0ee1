// The memory that the fast paths work on: one object, zeroed at the start, that holds the class table, the
// page map and a row of magazine words for each concurrency id. Its layout is shared with the assembly
// (fast_layout.h).
#pragma once

#include "front/fast_layout.h"
#include "pages/page_map.h"

#include <cstddef>
#include <cstdint>

namespace lowtide {

// struct rseq_cs of include/uapi/linux/rseq.h.
struct alignas(32) critical_section {
    uint32_t version;
    uint32_t flags;
    uint64_t start;
    uint64_t length;
    uint64_t abort;
};

// A part of the class table: entry i is for sizes up to i steps, the offset of their class's word in a row.
template <size_t Step, size_t Largest>
struct class_steps {
    static constexpr unsigned count = Largest / Step + 1;
    uint32_t entries[count];
};
inline constexpr unsigned row_words = FAST_SPARE / sizeof(uint64_t) - 1;

// Of a size, the word that malloc pops from. The parts are where the assembly looks for them in a page.
struct class_table {
    class_steps<1 << FAST_MEDIUM_SHIFT, FAST_MAX_MEDIUM> medium_classes;
    class_steps<1 << FAST_LARGE_SHIFT, FAST_MAX_LARGE> large_classes;
    unsigned char unused[FAST_NOTHING - FAST_LARGE_TABLE -
                         sizeof(large_classes)]; // stays zero: see fast_state::nothing()
    class_steps<min_alignment, FAST_MAX_SIZE> small_classes;
};
static_assert(FAST_MEDIUM_TABLE + offsetof(class_table, large_classes) == FAST_LARGE_TABLE);
static_assert(FAST_MEDIUM_TABLE + offsetof(class_table, small_classes) == FAST_CLASS_TABLE);

// The magazines of one concurrency id (or of one slot, where the caches are locked), a word for each size
// class: the address of the magazine's top; `fast_state::nothing()` is no magazine.
struct magazine_row {
    uint64_t loaded[row_words];
    uint64_t parked; // a span that is kept warm, or nothing()
    uint64_t spare[row_words - 1];
    uint64_t countdown; // bytes until the next allocation that is sampled, signed
    os::mutex lock;     // guards the row where the caches are locked ones
};

struct alignas(4096) fast_state {
    critical_section malloc_section;
    critical_section new_section;
    critical_section free_section;
    critical_section free_sized_section;
    critical_section delete_sized_section;
    critical_section counted_section;
    class_table classes alignas(FAST_MEDIUM_TABLE);
    unsigned char
        unused[FAST_MAP_ROOT - page_map::offset_of_root() - FAST_MEDIUM_TABLE - sizeof(class_table)];
    page_map map;
    magazine_row rows[FAST_MAX_ROWS];
    unsigned char unused_too[FAST_MEDIUM_TABLE];
    class_table counted_classes;

    // The word below this address is 0 and the address is 2 KiB-aligned: the top of a magazine that is empty
    // and full.
    [[nodiscard]] uintptr_t nothing() const { return reinterpret_cast<uintptr_t>(this) + FAST_NOTHING; }
};

static_assert(offsetof(fast_state, malloc_section) == FAST_CS_MALLOC);
static_assert(offsetof(fast_state, new_section) == FAST_CS_NEW);
static_assert(offsetof(fast_state, free_section) == FAST_CS_FREE);
static_assert(offsetof(fast_state, free_sized_section) == FAST_CS_FREE_SIZED);
static_assert(offsetof(fast_state, delete_sized_section) == FAST_CS_DELETE_SIZED);
static_assert(offsetof(fast_state, counted_section) == FAST_CS_COUNTED);
static_assert(offsetof(fast_state, classes) == FAST_MEDIUM_TABLE && FAST_NOTHING == FAST_CLASS_TABLE);
static_assert(RSEQ_CPU_LIMIT == FAST_MAX_ROWS);
static_assert(FAST_MAX_LARGE == max_class_object);
// The steps of each part are fine enough to tell all its classes apart.
static_assert([] {
    for (unsigned i = 1; i < all_classes; ++i) {
        const size_t size = object_size(size_class{static_cast<uint8_t>(i)});
        const size_t step = size <= FAST_MAX_SIZE     ? min_alignment
                            : size <= FAST_MAX_MEDIUM ? 1 << FAST_MEDIUM_SHIFT
                                                      : 1 << FAST_LARGE_SHIFT;
        if (size % step != 0)
            return false;
    }
    return true;
}());
static_assert(offsetof(fast_state, map) + page_map::offset_of_root() == FAST_MAP_ROOT);
static_assert(offsetof(fast_state, map) + page_map::offset_of_empty_leaf() == FAST_EMPTY_LEAF);
static_assert(offsetof(fast_state, rows) == FAST_ROWS);
static_assert(sizeof(magazine_row) == FAST_ROW_BYTES && offsetof(magazine_row, spare) == FAST_SPARE);
static_assert(offsetof(magazine_row, countdown) == FAST_COUNTDOWN);
static_assert(offsetof(fast_state, counted_classes) == FAST_COUNTED + FAST_MEDIUM_TABLE);
static_assert(sizeof(fast_state) == FAST_BYTES);
static_assert(all_classes <= row_words - 1);
static_assert(sizeof(page_map) == FAST_ROWS - FAST_MAP_ROOT + page_map::offset_of_root());

} // namespace lowtide
