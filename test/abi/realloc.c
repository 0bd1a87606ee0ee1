/* realloc: contents are kept whichever way a block goes, it stays in place as far as its usable bytes reach,
   a failure leaves it as it was, and what it shrinks by goes back to the system. */
#include "check.h"
#include "limit.h"
#include "memory.h"
#include "ways.h"

/* An alignment beyond the size makes a block far larger than it had to be: that one may go to a smaller
 * place. */
static size_t smallest_to_stay(const struct way* way, size_t size, size_t usable) {
    return way->alignment > 16 && way->alignment > size ? usable : size;
}

TEST(realloc_up_to_the_usable_size_never_moves) {
    for (const struct way* way = ways; way < ways + COUNT_OF(ways); ++way)
        for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i) {
            const size_t size = sizes_of_every_range[i];
            void* block = way->get(size);
            at(way->name, size, 0);
            REQUIRE(block);
            const uintptr_t place = (uintptr_t)block;
            const size_t usable = malloc_usable_size(block);
            const size_t first = smallest_to_stay(way, size, usable);
            for (size_t wanted = first; wanted <= usable; wanted += (usable - first) / 20 + 1) {
                block = realloc(block, wanted);
                at(way->name, size, wanted);
                CHECK((uintptr_t)block == place);
            }
            block = realloc(block, usable);
            at(way->name, size, usable);
            CHECK((uintptr_t)block == place);
            CHECK(malloc_usable_size(block) >= usable);
            free(block);
        }
}

TEST(realloc_to_the_same_size_never_moves) {
    for (size_t size = 1; size <= 128 * MIB; size += size / 50 + 1) {
        void* block = malloc(size);
        at("realloc", size, size);
        REQUIRE(block);
        const uintptr_t place = (uintptr_t)block;
        block = realloc(block, size);
        CHECK((uintptr_t)block == place);
        free(block);
    }
}

TEST(growing_and_shrinking_keeps_contents) {
    const size_t sizes[] = {1,         100,         1000,    5000,    40000,   200000,
                            300 * KIB, 1 * MIB + 1, 3 * MIB, 9 * MIB, 66 * MIB};
    for (size_t i = 0; i < COUNT_OF(sizes); ++i)
        for (size_t j = 0; j < COUNT_OF(sizes); ++j) {
            const size_t kept = sizes[i] < sizes[j] ? sizes[i] : sizes[j];
            void* block = malloc(sizes[i]);
            at("realloc", sizes[i], sizes[j]);
            REQUIRE(block);
            fill(block, kept, i);
            block = realloc(block, sizes[j]);
            REQUIRE(block);
            CHECK(holds(block, kept, i));
            touch_ends(block, malloc_usable_size(block));
            free(block);
        }
}

TEST(growing_step_by_step_keeps_contents) {
    const size_t first = 1, last = 150 * MIB;
    void* block = malloc(first);
    REQUIRE(block);
    fill(block, first, 7);
    for (size_t size = first; size < last;) {
        const size_t next = size + size / 3 + 1;
        block = realloc(block, next);
        at("realloc", size, next);
        REQUIRE(block);
        CHECK(holds(block, size, 7));
        fill(block, next, 7);
        size = next;
    }
    free(block);
}

static void check_untouched(const void* block, size_t size, size_t usable, size_t held) {
    CHECK(holds(block, size, size));
    CHECK_EQUAL(malloc_usable_size((void*)block), usable);
    CHECK_EQUAL(mallinfo2().uordblks, held);
}

TEST(a_failed_realloc_keeps_the_old_block) {
    for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i) {
        const size_t size = sizes_of_every_range[i];
        void* const block = malloc(size);
        REQUIRE(block);
        fill(block, size, size);
        const size_t usable = malloc_usable_size(block), held = mallinfo2().uordblks;
        for (size_t j = 0; j < COUNT_OF(impossible_sizes); ++j) {
            at("realloc and reallocarray", size, impossible_sizes[j]);
            CHECK(realloc(block, impossible_sizes[j]) == NULL);
            CHECK(reallocarray(block, impossible_sizes[j], 1) == NULL);
            CHECK(reallocarray(block, 2, impossible_sizes[j]) == NULL);
        }
        check_untouched(block, size, usable, held);
        free(block);
    }
}

TEST(a_realloc_that_the_kernel_refuses_keeps_the_old_block) {
    limit_address_space(300 * MIB);
    for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i) {
        const size_t size = sizes_of_every_range[i];
        void* const block = malloc(size);
        at("realloc under a limit", size, 4 * GIB);
        REQUIRE(block);
        fill(block, size, size);
        const size_t usable = malloc_usable_size(block), held = mallinfo2().uordblks;
        errno = 0;
        CHECK(realloc(block, 4 * GIB) == NULL);
        CHECK_EQUAL(errno, ENOMEM);
        check_untouched(block, size, usable, held);
        free(block);
    }
}

/* What is left resident of the bytes a block of `from` gave up when it became one of `to`. */
static size_t resident_after_shrinking(size_t from, size_t to, int trim) {
    void* block = malloc(from);
    REQUIRE(block);
    const uintptr_t first = (uintptr_t)block, last = first + from;
    fill(block, from, 3);
    block = realloc(block, to);
    REQUIRE(block);
    CHECK(holds(block, to, 3));
    if (trim)
        malloc_trim(0);
    const uintptr_t now = (uintptr_t)block, end = now + malloc_usable_size(block);
    CHECK(end <= first || now >= last || now == first); /* in place, or somewhere else */
    const size_t resident = resident_pages(now == first ? end : first, last) * page_size();
    free(block);
    return resident;
}

/* From 64 MiB on a block is a mapping of its own: nothing of it waits to be used again. */
TEST(shrinking_256_mib_gives_the_pages_back_at_once) {
    const size_t sizes[] = {100 * MIB, 10 * MIB, 1000};
    for (size_t i = 0; i < COUNT_OF(sizes); ++i) {
        at("shrinking 256 MiB to", sizes[i], 0);
        CHECK_EQUAL(resident_after_shrinking(256 * MIB, sizes[i], 0), 0);
    }
}

TEST(shrinking_32_mib_gives_the_pages_back) {
    const size_t sizes[] = {20 * MIB, 8 * MIB, 2 * MIB, 500 * KIB, 1000};
    for (size_t i = 0; i < COUNT_OF(sizes); ++i) {
        at("shrinking 32 MiB to", sizes[i], 0);
        CHECK_EQUAL(resident_after_shrinking(32 * MIB, sizes[i], 1), 0);
    }
}

/* Unless they are few: the cap on dirty memory is 8 MiB where little is held. */
TEST(shrinking_32_mib_leaves_no_more_dirty_memory_than_the_cap) {
    CHECK(resident_after_shrinking(32 * MIB, 1 * MIB, 0) <= 8 * MIB);
}

TEST(a_shrunk_block_is_counted_with_its_new_size) {
    const size_t sizes[] = {256 * MIB, 32 * MIB, 2 * MIB, 200 * KIB, 3000};
    for (size_t i = 0; i < COUNT_OF(sizes); ++i) {
        void* block = malloc(sizes[i]);
        REQUIRE(block);
        block = realloc(block, sizes[i] / 4);
        at("realloc to a quarter", sizes[i], malloc_usable_size(block));
        REQUIRE(block);
        CHECK(malloc_usable_size(block) < sizes[i] / 2);
        free(block);
    }
}

/* Records of the allocator are where data of the program was. */
TEST(blocks_grown_where_a_huge_one_was_written_full_are_blocks_like_others) {
    for (int round = 0; round < 3; ++round) {
        char* const huge = malloc(100 * MIB);
        REQUIRE(huge);
        memset(huge, 0xff, 100 * MIB);
        free(huge);
        char* blocks[4];
        for (size_t i = 0; i < COUNT_OF(blocks); ++i) {
            blocks[i] = realloc(malloc(100), (5 + i) * MIB);
            REQUIRE(blocks[i]);
            memset(blocks[i], (int)i, (5 + i) * MIB);
        }
        for (size_t i = 0; i < COUNT_OF(blocks); ++i) {
            CHECK(malloc_usable_size(blocks[i]) >= (5 + i) * MIB);
            blocks[i] = realloc(blocks[i], 9 * MIB);
            REQUIRE(blocks[i]);
            CHECK(blocks[i][0] == (char)i && blocks[i][5 * MIB - 1] == (char)i);
        }
        for (size_t i = 0; i < COUNT_OF(blocks); ++i)
            free(blocks[i]);
    }
}

TEST(growing_a_huge_block_moves_its_pages_and_copies_nothing) {
    unsigned char* block = (unsigned char*)malloc(128 * MIB);
    REQUIRE(block);
    block[100 * MIB] = 42;
    block = (unsigned char*)realloc(block, 1 * GIB);
    REQUIRE(block);
    CHECK_EQUAL(block[100 * MIB], 42);
    CHECK(resident_pages((uintptr_t)block, (uintptr_t)block + 1 * GIB) <= 2 * MIB / page_size());
    free(block);
}

/* To every number of slices up to 64 MiB: the small block has a size class, and none of these may be taken
   for it. */
TEST(a_small_block_that_becomes_large_is_large) {
    static const size_t from[] = {1, 24, 64, 100, 700, 5000, 20000, 65536};
    for (size_t slices = 2; slices <= 1024; ++slices) {
        for (size_t i = 0; i < COUNT_OF(from); ++i) {
            const size_t size = slices * 65536 - 100;
            char* const block = realloc(malloc(from[i]), size);
            REQUIRE(block);
            CHECK(malloc_usable_size(block) >= size);
            block[0] = block[size - 1] = 1;
            free(block);
        }
    }
}
