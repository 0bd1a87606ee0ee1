/* mallinfo2 counts what the program holds, exactly: uordblks is the sum of the usable sizes of its blocks. */
#include "check.h"
#include "memory.h"
#include "ways.h"

#include <limits.h>
#include <pthread.h>

static size_t held(void) {
    return mallinfo2().uordblks;
}

TEST(uordblks_grows_by_what_is_held_and_falls_by_what_is_freed) {
    for (const struct way* way = ways; way < ways + COUNT_OF(ways); ++way)
        for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i) {
            const size_t before = held();
            void* const block = way->get(sizes_of_every_range[i]);
            at(way->name, sizes_of_every_range[i], 0);
            REQUIRE(block);
            CHECK_EQUAL(held() - before, malloc_usable_size(block));
            free(block);
            CHECK_EQUAL(held(), before);
        }
}

TEST(uordblks_is_exact_with_blocks_of_every_range_held_together) {
    enum { rounds = 20 };
    static void* blocks[rounds][COUNT_OF(sizes_of_every_range)];
    const size_t before = held();
    size_t sum = 0;
    for (size_t round = 0; round < rounds; ++round)
        for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i) {
            blocks[round][i] = malloc(sizes_of_every_range[i]);
            REQUIRE(blocks[round][i]);
            sum += malloc_usable_size(blocks[round][i]);
            at("malloc", sizes_of_every_range[i], round);
            CHECK_EQUAL(held() - before, sum);
        }
    for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i)
        for (size_t round = 0; round < rounds; ++round) {
            sum -= malloc_usable_size(blocks[round][i]);
            free(blocks[round][i]);
            at("free", sizes_of_every_range[i], round);
            CHECK_EQUAL(held() - before, sum);
        }
    CHECK_EQUAL(held(), before);
}

/* Programs add the two, or look at the first alone. */
TEST(uordblks_with_hblkhd_counts_no_block_twice) {
    for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i) {
        const struct mallinfo2 before = mallinfo2();
        void* const block = malloc(sizes_of_every_range[i]);
        REQUIRE(block);
        const struct mallinfo2 after = mallinfo2();
        at("malloc", sizes_of_every_range[i], 0);
        CHECK_EQUAL(after.uordblks + after.hblkhd - before.uordblks - before.hblkhd,
                    malloc_usable_size(block));
        CHECK_EQUAL(after.arena, after.uordblks + after.fordblks);
        free(block);
    }
}

/* Caches fill and spill on the way: what lies in them is not held. */
TEST(uordblks_is_exact_for_many_small_blocks) {
    enum { count = 100000 };
    static void* blocks[count];
    const size_t before = held();
    size_t sum = 0;
    for (size_t i = 0; i < count; ++i) {
        blocks[i] = malloc(i % 1000);
        REQUIRE(blocks[i]);
        sum += malloc_usable_size(blocks[i]);
    }
    CHECK_EQUAL(held() - before, sum);
    for (size_t i = 0; i < count; i += 3) {
        sum -= malloc_usable_size(blocks[i]);
        free(blocks[i]);
        blocks[i] = NULL;
    }
    CHECK_EQUAL(held() - before, sum);
    malloc_trim(0);
    CHECK_EQUAL(held() - before, sum);
    for (size_t i = 0; i < count; ++i)
        free(blocks[i]);
    CHECK_EQUAL(held(), before);
}

TEST(uordblks_follows_realloc) {
    const size_t before = held();
    void* block = NULL;
    for (size_t size = 1; size <= 200 * MIB; size += size / 5 + 1) {
        block = realloc(block, size);
        at("realloc up to", size, 0);
        REQUIRE(block);
        CHECK_EQUAL(held() - before, malloc_usable_size(block));
    }
    for (size_t size = 200 * MIB; size; size -= size / 5 + 1) {
        block = realloc(block, size);
        at("realloc down to", size, 0);
        REQUIRE(block);
        CHECK_EQUAL(held() - before, malloc_usable_size(block));
    }
    free(block);
    CHECK_EQUAL(held(), before);
}

TEST(uordblks_does_not_count_what_was_refused) {
    const size_t before = held();
    for (const struct way* way = ways; way < ways + COUNT_OF(ways); ++way)
        for (size_t i = 0; i < COUNT_OF(impossible_sizes); ++i)
            CHECK(way->get(impossible_sizes[i]) == NULL);
    CHECK_EQUAL(held(), before);
}

enum { threads = 4, of_each = 5000 };

static struct worker {
    pthread_t thread;
    pthread_barrier_t* all_here;
    size_t count, sum;
    void* blocks[of_each];
} workers[threads];

static void* allocate_in_thread(void* argument) {
    struct worker* const worker = (struct worker*)argument;
    pthread_barrier_wait(worker->all_here);
    for (size_t i = 0; i < worker->count; ++i) {
        worker->blocks[i] = malloc(i * i % 40000);
        worker->sum += malloc_usable_size(worker->blocks[i]);
    }
    return NULL;
}

static size_t allocate_in_threads(size_t count) {
    pthread_barrier_t all_here;
    REQUIRE(pthread_barrier_init(&all_here, NULL, threads) == 0);
    for (size_t i = 0; i < threads; ++i) {
        workers[i].all_here = &all_here;
        workers[i].count = count;
        workers[i].sum = 0;
        REQUIRE(pthread_create(&workers[i].thread, NULL, allocate_in_thread, &workers[i]) == 0);
    }
    size_t sum = 0;
    for (size_t i = 0; i < threads; ++i) {
        REQUIRE(pthread_join(workers[i].thread, NULL) == 0);
        sum += workers[i].sum;
    }
    pthread_barrier_destroy(&all_here);
    return sum;
}

TEST(uordblks_counts_what_threads_left_and_others_free) {
    allocate_in_threads(0); /* libc allocates with the first threads, and keeps it for the next */
    const size_t before = held();
    const size_t sum = allocate_in_threads(of_each);
    CHECK_EQUAL(held() - before, sum);
    for (size_t i = 0; i < threads; ++i)
        for (size_t j = 0; j < of_each; ++j)
            free(workers[i].blocks[j]);
    CHECK_EQUAL(held(), before);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static size_t held_by_mallinfo(void) {
    const int count = mallinfo().uordblks;
    CHECK(count >= 0);
    return (size_t)count;
}
#pragma GCC diagnostic pop

TEST(mallinfo_agrees_with_mallinfo2) {
    const size_t before = held_by_mallinfo();
    CHECK_EQUAL(before, held());
    void* const block = malloc(100000);
    REQUIRE(block);
    CHECK_EQUAL(held_by_mallinfo() - before, malloc_usable_size(block));
    free(block);
}

TEST(mallinfo_stops_at_what_an_int_can_say) {
    void* const most = malloc(1 * GIB);
    void* const rest = malloc(1 * GIB + 100 * MIB);
    REQUIRE(most && rest);
    CHECK(held() > INT_MAX);
    CHECK_EQUAL(held_by_mallinfo(), INT_MAX);
    free(rest);
    CHECK(held_by_mallinfo() >= 1 * GIB && held_by_mallinfo() < INT_MAX);
    free(most);
}
