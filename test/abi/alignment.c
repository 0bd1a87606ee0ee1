/* Every pointer is 16-aligned, whatever the size and whatever the function; a larger alignment is given in
 * full. */
#include "check.h"
#include "memory.h"
#include "ways.h"

#include <stdint.h>

static int aligned(const void* block, size_t alignment) {
    return (uintptr_t)block % alignment == 0;
}

/* Blocks of neighbouring sizes are held together, so that they come from different places in a slab. */
enum { held = 7 };

static void check_one_more(const struct way* way, size_t size, void* blocks[held]) {
    void** const slot = &blocks[size % held];
    free(*slot);
    *slot = way->get(size);
    at(way->name, size, 0);
    REQUIRE(*slot);
    CHECK(aligned(*slot, way->alignment));
    touch_ends(*slot, size);
}

static void free_all(void* blocks[held]) {
    for (size_t i = 0; i < held; ++i)
        free(blocks[i]);
}

TEST(every_size_through_every_function_is_16_aligned) {
    for (const struct way* way = ways; way < ways + COUNT_OF(ways); ++way) {
        void* blocks[held] = {NULL};
        for (size_t size = 0; size <= 12000; ++size)
            check_one_more(way, size, blocks);
        for (size_t size = 12000; size <= 3 * MIB; size += size / 64 + 1)
            check_one_more(way, size, blocks);
        free_all(blocks);
    }
}

TEST(sizes_around_every_power_of_two_are_16_aligned) {
    for (const struct way* way = ways; way < ways + COUNT_OF(ways); ++way) {
        void* blocks[held] = {NULL};
        for (size_t power = 8 * KIB; power <= 256 * MIB; power *= 2)
            for (size_t size = power - 2; size <= power + 2; ++size)
                check_one_more(way, size, blocks);
        free_all(blocks);
    }
}

TEST(a_block_that_realloc_changes_stays_16_aligned) {
    void* block = NULL;
    for (size_t size = 1; size <= 256 * MIB; size += size / 100 + 1) {
        block = realloc(block, size);
        at("realloc up to", size, 0);
        REQUIRE(block);
        CHECK(aligned(block, 16));
        touch_ends(block, size);
    }
    for (size_t size = 256 * MIB; size > 0; size -= size / 100 + 1) {
        block = reallocarray(block, size, 1);
        at("reallocarray down to", size, 0);
        REQUIRE(block);
        CHECK(aligned(block, 16));
    }
    free(block);
}

typedef void* aligned_way(size_t alignment, size_t size);

static const struct {
    const char* name;
    aligned_way* get;
} aligned_ways[] = {
    {"aligned_alloc", aligned_alloc}, {"memalign", memalign}, {"posix_memalign", by_posix_memalign}};

/* Two at a time, so that not both can lie at the start of something. */
static void check_alignment(const char* name, aligned_way* get, size_t alignment, size_t size) {
    void* const first = get(alignment, size);
    void* const second = get(alignment, size);
    at(name, alignment, size);
    REQUIRE(first && second);
    CHECK(aligned(first, alignment) && aligned(second, alignment));
    CHECK(malloc_usable_size(first) >= size && malloc_usable_size(second) >= size);
    touch_ends(first, malloc_usable_size(first));
    touch_ends(second, malloc_usable_size(second));
    free(first);
    free(second);
}

TEST(alignments_up_to_1_gib_are_given_in_full) {
    for (size_t way = 0; way < COUNT_OF(aligned_ways); ++way)
        for (size_t alignment = 8; alignment <= 1 * GIB; alignment *= 2) {
            const size_t sizes[] = {0,       1,        100,           5000,      70000,        300000,
                                    3 * MIB, 65 * MIB, alignment - 1, alignment, alignment + 1};
            for (size_t i = 0; i < COUNT_OF(sizes); ++i)
                check_alignment(aligned_ways[way].name, aligned_ways[way].get, alignment, sizes[i]);
        }
}

TEST(blocks_of_every_alignment_can_be_held_together) {
    enum { alignments = 27, of_each = 3 }; /* 16 B to 1 GiB */
    static void* blocks[alignments][of_each];
    for (size_t i = 0; i < alignments; ++i)
        for (size_t j = 0; j < of_each; ++j) {
            void* const block = memalign((size_t)16 << i, 1000 + i);
            at("memalign", (size_t)16 << i, 1000 + i);
            REQUIRE(block);
            CHECK(aligned(block, (size_t)16 << i));
            fill(block, 1000 + i, i * of_each + j);
            blocks[i][j] = block;
        }
    for (size_t i = 0; i < alignments; ++i)
        for (size_t j = 0; j < of_each; ++j) {
            at("memalign", (size_t)16 << i, 1000 + i);
            CHECK(holds(blocks[i][j], 1000 + i, i * of_each + j));
            free(blocks[i][j]);
        }
}

TEST(realloc_of_an_aligned_block_keeps_its_contents) {
    for (size_t alignment = 16; alignment <= 64 * MIB; alignment *= 4) {
        const size_t sizes[] = {100, 3000, 100000, 3 * MIB};
        for (size_t i = 0; i < COUNT_OF(sizes); ++i) {
            void* block = memalign(alignment, sizes[i]);
            at("memalign", alignment, sizes[i]);
            REQUIRE(block);
            fill(block, sizes[i], alignment);
            block = realloc(block, 3 * sizes[i]);
            REQUIRE(block);
            CHECK(holds(block, sizes[i], alignment));
            block = realloc(block, sizes[i] / 3);
            REQUIRE(block);
            CHECK(holds(block, sizes[i] / 3, alignment));
            free(block);
        }
    }
}
