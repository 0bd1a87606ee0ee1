/* free_sized and free_aligned_sized (C23) and cfree free blocks like free: without them they would reach
 * libc's. */
#include "check.h"
#include "face.h"
#include "memory.h"
#include "ways.h"

TEST(free_sized_frees_what_malloc_calloc_and_realloc_gave) {
    for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i) {
        const size_t size = sizes_of_every_range[i], before = mallinfo2().uordblks;
        void* const blocks[] = {malloc(size), calloc(1, size), realloc(NULL, size)};
        for (size_t j = 0; j < COUNT_OF(blocks); ++j) {
            at("free_sized", size, j);
            REQUIRE(blocks[j]);
            lowtide.free_sized(blocks[j], size);
        }
        CHECK_EQUAL(mallinfo2().uordblks, before);
    }
}

TEST(free_sized_takes_the_size_that_realloc_left) {
    const size_t before = mallinfo2().uordblks;
    for (size_t size = 1; size <= 100 * MIB; size = 3 * size + 1) {
        void* block = realloc(malloc(size), size / 2 + 1);
        at("free_sized", size / 2 + 1, 0);
        REQUIRE(block);
        lowtide.free_sized(block, size / 2 + 1);
        block = realloc(malloc(size), 2 * size);
        REQUIRE(block);
        lowtide.free_sized(block, 2 * size);
    }
    CHECK_EQUAL(mallinfo2().uordblks, before);
}

TEST(free_sized_takes_a_block_of_zero_bytes) {
    const size_t before = mallinfo2().uordblks;
    lowtide.free_sized(malloc(0), 0);
    lowtide.free_aligned_sized(aligned_alloc(64, 0), 64, 0);
    CHECK_EQUAL(mallinfo2().uordblks, before);
}

TEST(free_aligned_sized_frees_what_aligned_alloc_gave) {
    const size_t before = mallinfo2().uordblks;
    for (size_t alignment = 1; alignment <= 1 * GIB; alignment *= 2)
        for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); i += 5) {
            void* const block = aligned_alloc(alignment, sizes_of_every_range[i]);
            at("free_aligned_sized", alignment, sizes_of_every_range[i]);
            REQUIRE(block);
            lowtide.free_aligned_sized(block, alignment, sizes_of_every_range[i]);
        }
    CHECK_EQUAL(mallinfo2().uordblks, before);
}

TEST(cfree_frees_like_free) {
    for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i) {
        const size_t before = mallinfo2().uordblks;
        void* const block = calloc(1, sizes_of_every_range[i]);
        at("cfree", sizes_of_every_range[i], 0);
        REQUIRE(block);
        lowtide.cfree(block);
        CHECK_EQUAL(mallinfo2().uordblks, before);
    }
}

TEST(they_all_take_null) {
    const size_t before = mallinfo2().uordblks;
    lowtide.free_sized(NULL, 0);
    lowtide.free_sized(NULL, 100);
    lowtide.free_aligned_sized(NULL, 64, 0);
    lowtide.free_aligned_sized(NULL, 64, 640);
    lowtide.cfree(NULL);
    CHECK_EQUAL(mallinfo2().uordblks, before);
}
