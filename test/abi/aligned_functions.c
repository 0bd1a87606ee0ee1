/* The functions that take an alignment: which ones they accept, what they say of the others, and what they do
   to errno and to their result. What they give is checked in alignment.c. */
#include "check.h"
#include "memory.h"
#include "ways.h"

#include <stdint.h>

static const size_t no_powers_of_two[] = {3,
                                          5,
                                          6,
                                          7,
                                          9,
                                          12,
                                          15,
                                          17,
                                          24,
                                          48,
                                          100,
                                          1000,
                                          4095,
                                          4097,
                                          65537,
                                          1000000,
                                          SIZE_MAX / 2,
                                          SIZE_MAX / 2 + 2,
                                          SIZE_MAX - 1,
                                          SIZE_MAX};

static const size_t some_sizes[] = {0, 1, 100, 4096, 100000, 70 * MIB};

static void check_aligned_alloc_refuses(size_t alignment) {
    for (size_t i = 0; i < COUNT_OF(some_sizes); ++i) {
        at("aligned_alloc", alignment, some_sizes[i]);
        errno = 0;
        CHECK(aligned_alloc(alignment, some_sizes[i]) == NULL);
        CHECK_EQUAL(errno, EINVAL);
    }
}

TEST(aligned_alloc_refuses_an_alignment_of_zero) {
    check_aligned_alloc_refuses(0);
}

TEST(aligned_alloc_refuses_an_alignment_that_is_no_power_of_two) {
    for (size_t i = 0; i < COUNT_OF(no_powers_of_two); ++i)
        check_aligned_alloc_refuses(no_powers_of_two[i]);
}

TEST(aligned_alloc_takes_small_powers_of_two_and_sizes_that_are_no_multiple) {
    for (size_t alignment = 1; alignment <= 4096; alignment *= 2)
        for (size_t size = 0; size <= 3 * alignment; size += 1 + alignment / 7) {
            void* const block = aligned_alloc(alignment, size);
            at("aligned_alloc", alignment, size);
            REQUIRE(block);
            CHECK((uintptr_t)block % alignment == 0);
            free(block);
        }
}

TEST(memalign_rounds_an_alignment_up_to_a_power_of_two) {
    const struct {
        size_t asked, given;
    } cases[] = {{0, 16},
                 {1, 16},
                 {3, 16},
                 {5, 16},
                 {12, 16},
                 {17, 32},
                 {24, 32},
                 {33, 64},
                 {48, 64},
                 {100, 128},
                 {129, 256},
                 {1000, 1024},
                 {4095, 4096},
                 {4097, 8192},
                 {65537, 131072},
                 {1000000, 1 * MIB},
                 {3 * MIB, 4 * MIB},
                 {600 * MIB, 1 * GIB}};
    for (size_t i = 0; i < COUNT_OF(cases); ++i)
        for (size_t size = 0; size < 3000; size += 500) {
            void* const first = memalign(cases[i].asked, size);
            void* const second = memalign(cases[i].asked, size);
            at("memalign", cases[i].asked, size);
            REQUIRE(first && second);
            CHECK((uintptr_t)first % cases[i].given == 0);
            CHECK((uintptr_t)second % cases[i].given == 0);
            free(first);
            free(second);
        }
}

TEST(memalign_says_enomem_to_an_alignment_that_cannot_be_rounded_up) {
    const size_t alignments[] = {SIZE_MAX / 2 + 2, SIZE_MAX / 4 * 3, SIZE_MAX - 1, SIZE_MAX};
    for (size_t i = 0; i < COUNT_OF(alignments); ++i) {
        at("memalign", alignments[i], 1);
        errno = 0;
        CHECK(memalign(alignments[i], 1) == NULL);
        CHECK_EQUAL(errno, ENOMEM);
    }
}

/* A failing posix_memalign says so with its result alone. */
static void check_posix_memalign_fails(size_t alignment, size_t size, int code) {
    int untouched;
    void* result = &untouched;
    at("posix_memalign", alignment, size);
    errno = 4711;
    CHECK_EQUAL(posix_memalign(&result, alignment, size), code);
    CHECK_EQUAL(errno, 4711);
    CHECK(result == &untouched);
}

TEST(posix_memalign_returns_einval_and_leaves_errno_and_result_alone) {
    const size_t too_small[] = {0, 1, 2, 4};
    for (size_t i = 0; i < COUNT_OF(some_sizes); ++i) {
        for (size_t a = 0; a < COUNT_OF(too_small); ++a)
            check_posix_memalign_fails(too_small[a], some_sizes[i], EINVAL);
        for (size_t a = 0; a < COUNT_OF(no_powers_of_two); ++a)
            check_posix_memalign_fails(no_powers_of_two[a], some_sizes[i], EINVAL);
    }
}

TEST(posix_memalign_returns_enomem_and_leaves_errno_and_result_alone) {
    for (size_t i = 0; i < COUNT_OF(impossible_sizes); ++i)
        for (size_t alignment = sizeof(void*); alignment <= 1 * GIB; alignment *= 2)
            check_posix_memalign_fails(alignment, impossible_sizes[i], ENOMEM);
    check_posix_memalign_fails(SIZE_MAX / 2 + 1, 1, ENOMEM);
    check_posix_memalign_fails((size_t)1 << 56, 1, ENOMEM);
}

TEST(posix_memalign_leaves_errno_alone_when_it_succeeds) {
    for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i) {
        void* block = NULL;
        at("posix_memalign", 256, sizes_of_every_range[i]);
        errno = 4711;
        CHECK_EQUAL(posix_memalign(&block, 256, sizes_of_every_range[i]), 0);
        CHECK_EQUAL(errno, 4711);
        CHECK(block);
        free(block);
    }
}

TEST(valloc_and_pvalloc_give_whole_pages) {
    const size_t page = page_size();
    for (size_t size = 0; size <= 5 * page; size += 1 + page / 9) {
        void* const plain = valloc(size);
        void* const padded = pvalloc(size);
        at("valloc and pvalloc", size, 0);
        REQUIRE(plain && padded);
        CHECK((uintptr_t)plain % page == 0);
        CHECK((uintptr_t)padded % page == 0);
        CHECK(malloc_usable_size(plain) >= size);
        CHECK(malloc_usable_size(padded) >= (size + page - 1) / page * page);
        touch_ends(padded, (size + page - 1) / page * page);
        free(plain);
        free(padded);
    }
}

TEST(pvalloc_of_zero_is_a_page) {
    const size_t page = page_size();
    void* const first = pvalloc(0);
    void* const second = pvalloc(0);
    REQUIRE(first && second && first != second);
    CHECK((uintptr_t)first % page == 0 && (uintptr_t)second % page == 0);
    REQUIRE(malloc_usable_size(first) >= page && malloc_usable_size(second) >= page);
    fill(first, page, 1);
    fill(second, page, 2);
    CHECK(holds(first, page, 1));
    CHECK(holds(second, page, 2));
    free(first);
    free(second);
}
