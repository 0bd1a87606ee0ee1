/* free preserves errno: in every range, when it gives memory back to the kernel, and when that fails. */
#include "check.h"
#include "face.h"
#include "memory.h"
#include "ways.h"

static const int strange = 4711; /* no call sets this */

TEST(free_preserves_errno_in_every_range) {
    for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i) {
        const size_t size = sizes_of_every_range[i];
        void* const block = malloc(size);
        at("free", size, 0);
        REQUIRE(block);
        memset(block, 1, size);
        errno = strange;
        free(block);
        CHECK_EQUAL(errno, strange);
    }
    errno = strange;
    free(NULL);
    CHECK_EQUAL(errno, strange);
}

TEST(every_way_to_free_preserves_errno) {
    for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i) {
        const size_t size = sizes_of_every_range[i];
        void* const sized = malloc(size);
        void* const aligned = aligned_alloc(256, size);
        void* const plain = malloc(size);
        at("free_sized, free_aligned_sized and cfree", size, 0);
        REQUIRE(sized && aligned && plain);
        errno = strange;
        lowtide.free_sized(sized, size);
        CHECK_EQUAL(errno, strange);
        lowtide.free_aligned_sized(aligned, 256, size);
        CHECK_EQUAL(errno, strange);
        lowtide.cfree(plain);
        CHECK_EQUAL(errno, strange);
    }
}

/* So much that some of these frees must give pages back. */
static void free_much(size_t size, size_t total) {
    static void* blocks[200000];
    const size_t count = total / size;
    REQUIRE(count <= COUNT_OF(blocks));
    for (size_t i = 0; i < count; ++i) {
        blocks[i] = malloc(size);
        REQUIRE(blocks[i]);
        memset(blocks[i], 1, size);
    }
    for (size_t i = 0; i < count; ++i) {
        errno = strange;
        free(blocks[i]);
        at("free", size, i);
        CHECK_EQUAL(errno, strange);
    }
}

TEST(free_preserves_errno_when_it_gives_memory_back) {
    const size_t sizes[] = {1000, 30000, 100 * KIB, 1 * MIB, 10 * MIB, 80 * MIB};
    for (size_t i = 0; i < COUNT_OF(sizes); ++i)
        free_much(sizes[i], 80 * MIB);
}

/* Locked pages: madvise(MADV_DONTNEED) fails with EINVAL. One is enough, whatever RLIMIT_MEMLOCK is. */
TEST(free_preserves_errno_when_the_kernel_refuses) {
    const size_t sizes[] = {100 * KIB, 1 * MIB, 10 * MIB, 40 * MIB, 80 * MIB};
    for (size_t i = 0; i < COUNT_OF(sizes); ++i) {
        void* const block = malloc(sizes[i]);
        at("free", sizes[i], 0);
        REQUIRE(block);
        memset(block, 1, sizes[i]);
        REQUIRE(mlock((char*)block + sizes[i] / 2, 1) == 0);
        errno = strange;
        free(block);
        CHECK_EQUAL(errno, strange);
        malloc_trim(0);
    }
}
