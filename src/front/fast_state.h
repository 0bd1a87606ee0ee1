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

inline constexpr unsigned fine_entries = FAST_MAX_SIZE / min_alignment + 1;
inline constexpr unsigned table_entries = FAST_MEDIUM_FIRST + FAST_MAX_MEDIUM / FAST_MEDIUM_STEP + 1;
inline constexpr unsigned row_words = FAST_SPARE / sizeof(uint64_t);

// The magazines of one concurrency id (or of one slot, where the caches are locked), a word for each size
// class: the address of the magazine's top; `fast_state::nothing()` is no magazine.
struct magazine_row {
    uint64_t loaded[row_words];
    uint64_t spare[row_words];
};

struct alignas(4096) fast_state {
    critical_section malloc_section;
    critical_section new_section;
    critical_section free_section;
    unsigned char unused[FAST_NOTHING - 3 * sizeof(critical_section)]; // stays zero: see nothing()
    uint32_t
        class_table[table_entries]; // by size, see fast_layout.h: the offset of its class's word in a row
    alignas(4096) page_map map;
    magazine_row rows[FAST_MAX_ROWS];

    // The word below this address is 0 and the address is 2 KiB-aligned: the top of a magazine that is empty
    // and full.
    [[nodiscard]] uintptr_t nothing() const { return reinterpret_cast<uintptr_t>(this) + FAST_NOTHING; }
};

static_assert(offsetof(fast_state, malloc_section) == FAST_CS_MALLOC);
static_assert(offsetof(fast_state, new_section) == FAST_CS_NEW);
static_assert(offsetof(fast_state, free_section) == FAST_CS_FREE);
static_assert(offsetof(fast_state, class_table) == FAST_CLASS_TABLE && FAST_NOTHING == FAST_CLASS_TABLE);
static_assert(RSEQ_CPU_LIMIT == FAST_MAX_ROWS);
static_assert(FAST_MAX_MEDIUM == max_class_object && FAST_MEDIUM_STEP == 1 << FAST_MEDIUM_SHIFT);
static_assert(offsetof(fast_state, map) + page_map::offset_of_root() == FAST_MAP_ROOT);
static_assert(offsetof(fast_state, map) + page_map::offset_of_empty_leaf() == FAST_EMPTY_LEAF);
static_assert(offsetof(fast_state, rows) == FAST_ROWS);
static_assert(sizeof(magazine_row) == FAST_ROW_BYTES && offsetof(magazine_row, spare) == FAST_SPARE);
static_assert(all_classes <= row_words);
static_assert(sizeof(page_map) == FAST_ROWS - FAST_MAP_ROOT);

} // namespace lowtide
