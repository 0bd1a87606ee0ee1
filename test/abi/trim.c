/* malloc_trim gives what is free to the system, touches nothing that is held, and says whether memory went
   back. How much is free and resident before it depends on the settings. */
#include "check.h"
#include "memory.h"
#include "ways.h"

/* One block, touched and freed, so that the last thing that happens before the trim is that free. */
static uintptr_t use_and_free(size_t size) {
    void* const block = malloc(size);
    REQUIRE(block);
    memset(block, 1, size);
    const uintptr_t place = (uintptr_t)block;
    free(block);
    return place;
}

TEST(malloc_trim_returns_1_when_memory_went_back_and_0_when_there_was_none) {
    const size_t sizes[] = {300 * KIB, 1 * MIB, 4 * MIB};
    for (size_t i = 0; i < COUNT_OF(sizes); ++i) {
        malloc_trim(0);
        const uintptr_t place = use_and_free(sizes[i]);
        const int resident = resident_pages(place, place + sizes[i]) > 0;
        at("malloc_trim after the free of", sizes[i], 0);
        CHECK_EQUAL(malloc_trim(0), resident);
        CHECK_EQUAL(resident_pages(place, place + sizes[i]), 0);
        CHECK_EQUAL(malloc_trim(0), 0);
    }
}

TEST(malloc_trim_takes_large_blocks_of_every_size) {
    for (size_t size = 300 * KIB; size <= 100 * MIB; size += size + 12345) {
        const uintptr_t place = use_and_free(size);
        malloc_trim(0);
        at("malloc_trim after the free of", size, 0);
        CHECK_EQUAL(resident_pages(place, place + size), 0);
    }
}

/* A few blocks stay behind in caches; the slabs that hold none of them go. */
TEST(malloc_trim_takes_the_slabs_of_small_blocks) {
    enum { count = 200000, size = 100 };
    static void* blocks[count];
    uintptr_t first = UINTPTR_MAX, last = 0;
    for (size_t i = 0; i < count; ++i) {
        blocks[i] = malloc(size);
        REQUIRE(blocks[i]);
        memset(blocks[i], 1, size);
        const uintptr_t place = (uintptr_t)blocks[i];
        first = place < first ? place : first;
        last = place + size > last ? place + size : last;
    }
    const size_t before = resident_pages(first, last);
    CHECK(before * page_size() >= (size_t)count * size);
    for (size_t i = 0; i < count; ++i)
        free(blocks[i]);
    malloc_trim(0);
    CHECK(resident_pages(first, last) <= before / 10);
}

TEST(malloc_trim_touches_nothing_that_is_held) {
    void* kept[COUNT_OF(sizes_of_every_range)];
    void* freed[COUNT_OF(sizes_of_every_range)];
    for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i) {
        freed[i] = malloc(sizes_of_every_range[i]);
        kept[i] = malloc(sizes_of_every_range[i]);
        REQUIRE(freed[i] && kept[i]);
        fill(freed[i], sizes_of_every_range[i], 0);
        fill(kept[i], sizes_of_every_range[i], i);
    }
    for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i)
        free(freed[i]);
    malloc_trim(0);
    for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i) {
        at("a block held over malloc_trim", sizes_of_every_range[i], 0);
        CHECK(holds(kept[i], sizes_of_every_range[i], i));
        free(kept[i]);
    }
}
