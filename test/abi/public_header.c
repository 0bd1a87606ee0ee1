/* Lowtide's own functions, as its public header promises them. */
#include "check.h"
#include "memory.h"
#include "ways.h"

#include <lowtide/lowtide.h>
#include <sys/mman.h>

TEST(the_version_is_the_projects) {
    CHECK(strcmp(lowtide_version(), LOWTIDE_PROJECT_VERSION) == 0);
}

TEST(every_byte_of_a_block_is_owned) {
    for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i) {
        char* const block = (char*)malloc(sizes_of_every_range[i]);
        at("lowtide_owns", sizes_of_every_range[i], 0);
        REQUIRE(block);
        const size_t usable = malloc_usable_size(block);
        for (size_t offset = 0; offset < usable; offset += usable / 100 + 1)
            CHECK_EQUAL(lowtide_owns(block + offset), 1);
        CHECK_EQUAL(lowtide_owns(block + usable - 1), 1);
        free(block);
    }
}

TEST(nothing_else_is_owned_and_errno_is_left_alone) {
    static int data;
    const int on_stack = 0;
    void* const mapped = mmap(NULL, 8 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(mapped != MAP_FAILED);
    errno = 4711;
    const void* const foreign[] = {NULL, &data, &on_stack, "text", (char*)mapped + 3 * MIB};
    for (size_t i = 0; i < COUNT_OF(foreign); ++i) {
        at("a foreign pointer", (size_t)foreign[i], i);
        CHECK_EQUAL(lowtide_owns(foreign[i]), 0);
    }
    for (unsigned bit = 0; bit < 64; ++bit) { /* whatever the pointer is */
        at("a wild pointer: 2 to the power of", bit, 0);
        CHECK_EQUAL(lowtide_owns((void*)((uintptr_t)1 << bit)), 0);
        CHECK_EQUAL(lowtide_owns((void*)(UINTPTR_MAX << bit)), 0);
    }
    CHECK_EQUAL(errno, 4711);
}

static struct lowtide_statistics statistics(void) {
    struct lowtide_statistics now = {.size = sizeof now};
    CHECK_EQUAL(lowtide_stats(&now), 0);
    CHECK_EQUAL(now.size, sizeof now);
    return now;
}

TEST(the_statistics_agree_with_mallinfo2) {
    for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i) {
        const size_t before = statistics().live;
        void* const block = malloc(sizes_of_every_range[i]);
        at("lowtide_stats", sizes_of_every_range[i], 0);
        REQUIRE(block);
        CHECK_EQUAL(statistics().live - before, malloc_usable_size(block));
        CHECK_EQUAL(statistics().live, mallinfo2().uordblks);
        CHECK(statistics().committed >= statistics().live);
        free(block);
        CHECK_EQUAL(statistics().live, before);
    }
}

TEST(what_a_trim_takes_is_counted_as_returned) {
    void* const block = malloc(3 * MIB);
    REQUIRE(block);
    memset(block, 1, 3 * MIB);
    const size_t before = statistics().returned;
    free(block);
    malloc_trim(0);
    CHECK(statistics().returned >= before + 3 * MIB);
    CHECK_EQUAL(statistics().dirty, 0);
}

/* A program built with an older header, or a newer one, than the library it meets. */
TEST(the_statistics_fill_what_their_size_covers) {
    struct lowtide_statistics older;
    memset(&older, 0x55, sizeof older);
    older.size = offsetof(struct lowtide_statistics, dirty);
    CHECK_EQUAL(lowtide_stats(&older), 0);
    CHECK_EQUAL(older.size, offsetof(struct lowtide_statistics, dirty));
    CHECK_EQUAL(older.live, mallinfo2().uordblks);
    CHECK_EQUAL(older.dirty, 0x5555555555555555);

    struct {
        struct lowtide_statistics known;
        size_t unknown;
    } newer;
    memset(&newer, 0x55, sizeof newer);
    newer.known.size = sizeof newer;
    CHECK_EQUAL(lowtide_stats(&newer.known), 0);
    CHECK_EQUAL(newer.known.size, sizeof newer.known);
    CHECK_EQUAL(newer.unknown, 0x5555555555555555);
}

TEST(statistics_without_room_for_their_size_are_refused) {
    errno = 0;
    CHECK_EQUAL(lowtide_stats(NULL), -1);
    CHECK_EQUAL(errno, EINVAL);
    struct lowtide_statistics small = {.size = sizeof(size_t) - 1, .live = 42};
    errno = 0;
    CHECK_EQUAL(lowtide_stats(&small), -1);
    CHECK_EQUAL(errno, EINVAL);
    CHECK_EQUAL(small.live, 42);
}
