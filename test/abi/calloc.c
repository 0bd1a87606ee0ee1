/* calloc is zero: on fresh memory, on memory the program has used, and on memory that went to the kernel and
   back or that the kernel refused to take. (Its overflow is checked in impossible.c.) */
#include "check.h"
#include "memory.h"
#include "ways.h"

#include <stdlib.h>

/* Fills and frees some blocks, then asks for zeroed ones of `size`, where the filled ones were. */
static void check_zero_after(size_t used_size, size_t size, size_t count) {
    void* blocks[16];
    REQUIRE(count <= COUNT_OF(blocks));
    at("calloc after malloc and free", size, used_size);
    for (size_t i = 0; i < count; ++i) {
        blocks[i] = malloc(used_size);
        REQUIRE(blocks[i]);
        memset(blocks[i], 0xa5, malloc_usable_size(blocks[i]));
    }
    for (size_t i = 0; i < count; ++i)
        free(blocks[i]);
    for (size_t i = 0; i < count; ++i) {
        blocks[i] = calloc(1, size);
        REQUIRE(blocks[i]);
        CHECK(all_zero(blocks[i], size));
        memset(blocks[i], 0x5a, size);
    }
    for (size_t i = 0; i < count; ++i)
        free(blocks[i]);
}

TEST(calloc_is_zero_on_reused_memory_of_every_range) {
    for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i) {
        const size_t size = sizes_of_every_range[i];
        check_zero_after(size, size, size <= 2 * MIB ? 16 : 2);
    }
}

TEST(calloc_is_zero_on_reused_memory_of_every_small_size) {
    for (size_t size = 1; size <= 4096; ++size)
        check_zero_after(size, size, 5);
}

TEST(calloc_is_zero_where_smaller_and_larger_blocks_have_been) {
    const size_t sizes[] = {100, 3000, 40000, 200 * KIB, 700 * KIB, 3 * MIB, 8 * MIB};
    for (size_t i = 0; i < COUNT_OF(sizes); ++i)
        for (size_t j = 0; j < COUNT_OF(sizes); ++j)
            check_zero_after(sizes[i], sizes[j], 3);
}

TEST(calloc_is_zero_where_a_huge_block_has_been) {
    for (size_t size = 4 * MIB; size <= 64 * MIB; size *= 4)
        check_zero_after(64 * MIB, size, 1);
    check_zero_after(64 * MIB, 64 * MIB, 1);
}

TEST(calloc_is_zero_for_every_split_into_count_and_size) {
    for (size_t count = 1; count <= 100; ++count)
        for (size_t size = 1; size <= 100; ++size) {
            unsigned char* const block = (unsigned char*)calloc(count, size);
            at("calloc", count, size);
            REQUIRE(block);
            CHECK(all_zero(block, count * size));
            memset(block, 0xa5, count * size);
            free(block);
        }
}

TEST(calloc_is_zero_after_a_trim) {
    const size_t sizes[] = {2000, 100 * KIB, 1 * MIB, 5 * MIB, 40 * MIB};
    for (size_t i = 0; i < COUNT_OF(sizes); ++i) {
        void* const used = malloc(sizes[i]);
        REQUIRE(used);
        memset(used, 0xa5, sizes[i]);
        free(used);
        malloc_trim(0);
        void* const zeroed = calloc(1, sizes[i]);
        at("calloc after malloc_trim", sizes[i], 0);
        REQUIRE(zeroed);
        CHECK(all_zero(zeroed, sizes[i]));
        free(zeroed);
    }
}

/* madvise(MADV_DONTNEED) fails on a locked page, which then is not zero. */
TEST(calloc_is_zero_where_the_kernel_refused_to_take_pages_back) {
    const size_t sizes[] = {100 * KIB, 1 * MIB, 5 * MIB, 40 * MIB};
    for (size_t i = 0; i < COUNT_OF(sizes); ++i) {
        void* const used = malloc(sizes[i]);
        at("calloc after mlock, free and malloc_trim", sizes[i], 0);
        REQUIRE(used);
        memset(used, 0xa5, sizes[i]);
        REQUIRE(mlock((char*)used + sizes[i] / 2, 1) == 0);
        free(used);
        malloc_trim(0);
        void* const zeroed = calloc(1, sizes[i]);
        REQUIRE(zeroed);
        CHECK(all_zero(zeroed, sizes[i]));
        free(zeroed);
    }
}

TEST(calloc_is_zero_when_perturbing_was_asked_for) {
    mallopt(M_PERTURB, 0xa5);
    for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i)
        check_zero_after(sizes_of_every_range[i], sizes_of_every_range[i], 1);
}

/* What realloc adds needs not be zero, and calloc must not take it for zero either. */
TEST(calloc_is_zero_where_a_block_was_grown_and_shrunk) {
    void* block = calloc(1, 4 * MIB);
    REQUIRE(block);
    block = realloc(block, 20 * MIB);
    REQUIRE(block);
    memset(block, 0xa5, 20 * MIB);
    block = realloc(block, 1 * MIB);
    REQUIRE(block);
    for (size_t size = 1 * MIB; size <= 20 * MIB; size += 1 * MIB) {
        void* const zeroed = calloc(1, size);
        at("calloc", size, 0);
        REQUIRE(zeroed);
        CHECK(all_zero(zeroed, size));
        free(zeroed);
    }
    CHECK(((unsigned char*)block)[1 * MIB - 1] == 0xa5);
    free(block);
}
