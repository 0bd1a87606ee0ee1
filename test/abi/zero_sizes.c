/* Zero sizes: a request for nothing gives a block like any other, and realloc to nothing frees (as glibc). */
#include "check.h"
#include "memory.h"
#include "ways.h"

TEST(zero_bytes_are_a_block_of_their_own) {
    for (const struct way* way = ways; way < ways + COUNT_OF(ways); ++way) {
        void* const first = way->get(0);
        void* const second = way->get(0);
        at(way->name, 0, 0);
        REQUIRE(first && second);
        CHECK(first != second);
        CHECK((uintptr_t)first % way->alignment == 0);
        fill(first, malloc_usable_size(first), 1);
        fill(second, malloc_usable_size(second), 2);
        CHECK(holds(first, malloc_usable_size(first), 1));
        free(first);
        free(second);
    }
}

TEST(a_product_of_zero_is_a_block_of_its_own) {
    const struct {
        size_t count, size;
    } products[] = {{0, 0}, {0, 1}, {1, 0}, {0, SIZE_MAX}, {SIZE_MAX, 0}, {0, (size_t)PTRDIFF_MAX + 1}};
    for (size_t i = 0; i < COUNT_OF(products); ++i) {
        void* const zeroed = calloc(products[i].count, products[i].size);
        void* const array = reallocarray(NULL, products[i].count, products[i].size);
        at("calloc and reallocarray", products[i].count, products[i].size);
        CHECK(zeroed && array && zeroed != array);
        free(zeroed);
        free(array);
    }
}

TEST(zero_bytes_of_every_alignment_are_a_block) {
    for (size_t alignment = 8; alignment <= 1 * GIB; alignment *= 2) {
        void* const block = memalign(alignment, 0);
        at("memalign", alignment, 0);
        REQUIRE(block);
        CHECK((uintptr_t)block % alignment == 0);
        free(block);
    }
}

/* The three ways to say realloc(p, 0). */
static void* realloc_to_nothing(void* block) {
    return realloc(block, 0);
}
static void* reallocarray_of_none(void* block) {
    return reallocarray(block, 0, 100);
}
static void* reallocarray_of_nothing(void* block) {
    return reallocarray(block, 100, 0);
}

static void* (*const to_nothing[])(void*) = {realloc_to_nothing, reallocarray_of_none,
                                             reallocarray_of_nothing};

TEST(realloc_to_zero_bytes_frees_and_returns_null) {
    for (size_t way = 0; way < COUNT_OF(to_nothing); ++way)
        for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i) {
            at("a realloc to 0 from", sizes_of_every_range[i], way);
            const size_t before = mallinfo2().uordblks;
            void* const block = malloc(sizes_of_every_range[i]);
            REQUIRE(block);
            errno = 4711;
            CHECK(to_nothing[way](block) == NULL);
            CHECK_EQUAL(errno, 4711); /* it did not fail */
            CHECK_EQUAL(mallinfo2().uordblks, before);
        }
}

TEST(realloc_of_null_to_zero_bytes_is_a_block) {
    for (size_t way = 0; way < COUNT_OF(to_nothing); ++way) {
        void* const block = to_nothing[way](NULL);
        at("a realloc to 0 from NULL", way, 0);
        CHECK(block);
        free(block);
    }
}

TEST(free_of_null_does_nothing) {
    const size_t before = mallinfo2().uordblks;
    free(NULL);
    CHECK_EQUAL(mallinfo2().uordblks, before);
}
