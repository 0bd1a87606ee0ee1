/* malloc_usable_size: at least what was asked for, and every byte of it is the program's. */
#include "check.h"
#include "memory.h"
#include "ways.h"

TEST(usable_size_of_null_is_zero) {
    CHECK_EQUAL(malloc_usable_size(NULL), 0);
}

TEST(usable_size_is_at_least_the_size_through_every_function) {
    for (const struct way* way = ways; way < ways + COUNT_OF(ways); ++way)
        for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i) {
            void* const block = way->get(sizes_of_every_range[i]);
            at(way->name, sizes_of_every_range[i], 0);
            REQUIRE(block);
            CHECK(malloc_usable_size(block) >= sizes_of_every_range[i]);
            free(block);
        }
}

/* Blocks that are neighbours, each filled to its usable end: none may reach into another. */
static void check_usable_bytes(const struct way* way, size_t size) {
    enum { most = 64 };
    void* blocks[most];
    const size_t count = size < 128 * KIB ? most : 2;
    at(way->name, size, 0);
    for (size_t i = 0; i < count; ++i) {
        blocks[i] = way->get(size);
        REQUIRE(blocks[i]);
        fill(blocks[i], malloc_usable_size(blocks[i]), i);
    }
    for (size_t i = 0; i < count; ++i) {
        CHECK(holds(blocks[i], malloc_usable_size(blocks[i]), i));
        free(blocks[i]);
    }
}

TEST(usable_bytes_are_really_usable_through_every_function) {
    for (const struct way* way = ways; way < ways + COUNT_OF(ways); ++way)
        for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i)
            if (sizes_of_every_range[i] <= 1 * MIB)
                check_usable_bytes(way, sizes_of_every_range[i]);
}

TEST(usable_bytes_are_really_usable_in_large_blocks) {
    for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i)
        if (sizes_of_every_range[i] > 1 * MIB)
            check_usable_bytes(&ways[0], sizes_of_every_range[i]);
}

TEST(usable_bytes_are_really_usable_for_every_small_size) {
    for (size_t size = 0; size <= 5000; ++size)
        check_usable_bytes(&ways[0], size);
}

TEST(usable_size_of_a_block_does_not_change) {
    enum { count = 2000 };
    static void* blocks[count];
    static size_t usable[count];
    for (size_t i = 0; i < count; ++i) {
        blocks[i] = malloc(i * i % 70000);
        REQUIRE(blocks[i]);
        usable[i] = malloc_usable_size(blocks[i]);
    }
    for (size_t i = 0; i < count; i += 2)
        free(blocks[i]);
    for (size_t i = 1; i < count; i += 2) {
        at("malloc_usable_size", i * i % 70000, 0);
        CHECK_EQUAL(malloc_usable_size(blocks[i]), usable[i]);
        free(blocks[i]);
    }
}
