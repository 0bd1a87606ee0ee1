/* Impossible requests: NULL and ENOMEM through every function, nothing above PTRDIFF_MAX ever succeeds, and
   the program goes on. What realloc does with its old block is checked in realloc.c. */
#include "check.h"
#include "limit.h"
#include "ways.h"

static void check_refused(const void* result) {
    CHECK_EQUAL(errno, ENOMEM);
    CHECK(result == NULL);
}

static void check_still_allocating(void) {
    for (const struct way* way = ways; way < ways + COUNT_OF(ways); ++way) {
        void* const block = way->get(1000);
        at(way->name, 1000, 0);
        CHECK(block);
        free(block);
    }
}

TEST(an_impossible_size_is_enomem_through_every_function) {
    for (const struct way* way = ways; way < ways + COUNT_OF(ways); ++way)
        for (size_t i = 0; i < COUNT_OF(impossible_sizes); ++i) {
            at(way->name, impossible_sizes[i], 0);
            errno = 0;
            check_refused(way->get(impossible_sizes[i]));
        }
    check_still_allocating();
}

TEST(an_impossible_size_is_enomem_for_realloc_of_every_size) {
    for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i) {
        void* const block = malloc(sizes_of_every_range[i]);
        REQUIRE(block);
        for (size_t j = 0; j < COUNT_OF(impossible_sizes); ++j) {
            at("realloc and reallocarray", sizes_of_every_range[i], impossible_sizes[j]);
            errno = 0;
            check_refused(realloc(block, impossible_sizes[j]));
            errno = 0;
            check_refused(reallocarray(block, impossible_sizes[j], 1));
            errno = 0;
            check_refused(reallocarray(block, 1, impossible_sizes[j]));
        }
        free(block);
    }
}

TEST(an_overflowing_product_is_enomem) {
    const size_t half = SIZE_MAX / 2 + 1;
    const size_t root = (size_t)1 << 32;
    const struct {
        size_t count, size;
    } products[] = {
        {half, 2}, /* wraps around to 0, */
        {2, half},
        {root, root},
        {SIZE_MAX / 16 + 2, 16}, /* to 16, */
        {16, SIZE_MAX / 16 + 2},
        {SIZE_MAX / 3 + 2, 3}, /* to 3 and more, */
        {root + 1, root},
        {root + 1, root + 1},
        {SIZE_MAX, SIZE_MAX}, /* to 1, */
        {SIZE_MAX, 2},        /* to a size that is impossible as well, */
        {SIZE_MAX / 2, 3},
        {root, root / 2}, /* and these do not wrap around. */
        {root - 1, root + 1},
    };
    void* const block = malloc(100);
    for (size_t i = 0; i < COUNT_OF(products); ++i) {
        at("calloc and reallocarray", products[i].count, products[i].size);
        errno = 0;
        check_refused(calloc(products[i].count, products[i].size));
        errno = 0;
        check_refused(reallocarray(NULL, products[i].count, products[i].size));
        errno = 0;
        check_refused(reallocarray(block, products[i].count, products[i].size));
    }
    free(block);
}

TEST(an_impossible_size_is_enomem_with_every_alignment) {
    for (size_t alignment = sizeof(void*); alignment; alignment *= 2)
        for (size_t i = 0; i < COUNT_OF(impossible_sizes); ++i) {
            const size_t size = impossible_sizes[i];
            at("memalign, aligned_alloc and posix_memalign", alignment, size);
            errno = 0;
            check_refused(memalign(alignment, size));
            errno = 0;
            check_refused(aligned_alloc(alignment, size));
            errno = 0;
            check_refused(by_posix_memalign(alignment, size));
        }
    check_still_allocating();
}

TEST(an_alignment_plus_size_that_overflows_is_enomem) {
    for (size_t alignment = 64; alignment; alignment *= 2)
        for (size_t off = 0; off < 64; off += 8) {
            const size_t size = SIZE_MAX - alignment + 1 + off; /* the sum wraps around to off */
            at("memalign, aligned_alloc and posix_memalign", alignment, size);
            errno = 0;
            check_refused(memalign(alignment, size));
            errno = 0;
            check_refused(aligned_alloc(alignment, size));
            errno = 0;
            check_refused(by_posix_memalign(alignment, size));
        }
}

TEST(an_alignment_beyond_the_address_space_is_enomem) {
    for (size_t alignment = (size_t)1 << 52; alignment; alignment *= 2)
        for (size_t size = 0; size <= 4096; size = 3 * size + 1) {
            at("memalign, aligned_alloc and posix_memalign", alignment, size);
            errno = 0;
            check_refused(memalign(alignment, size));
            errno = 0;
            check_refused(aligned_alloc(alignment, size));
            errno = 0;
            check_refused(by_posix_memalign(alignment, size));
        }
}

TEST(a_refusal_of_the_kernel_is_enomem_through_every_function) {
    limit_address_space(64 * MIB);
    for (const struct way* way = ways; way < ways + COUNT_OF(ways); ++way) {
        at(way->name, 4 * GIB, 0);
        errno = 0;
        check_refused(way->get(4 * GIB));
    }
    for (size_t alignment = 16; alignment <= 1 * GIB; alignment *= 2) {
        at("memalign", alignment, 4 * GIB);
        errno = 0;
        check_refused(memalign(alignment, 4 * GIB));
    }
    check_still_allocating();
}
