/* Regions, in strict C11: what their header promises, on Lowtide's own malloc. */
#include "check.h"
#include "memory.h"
#include "sizes.h"

#include <errno.h>
#include <fcntl.h>
#include <lowtide/lowtide.h>
#include <lowtide/region.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

static struct lowtide_region_statistics region_stats(const lowtide_region* region) {
    struct lowtide_region_statistics now = {.size = sizeof now};
    CHECK_EQUAL(lowtide_region_stats(region, &now), 0);
    CHECK_EQUAL(now.size, sizeof now);
    return now;
}

static size_t live(void) {
    struct lowtide_statistics now = {.size = sizeof now};
    CHECK_EQUAL(lowtide_stats(&now), 0);
    return now.live;
}

/* With check:true what regions free isn't malloc's. */
static int all_are_guarded(void) {
    lowtide_region* region = lowtide_region_create(NULL, NULL);
    const int guarded = region_stats(region).free == 0;
    lowtide_region_destroy(region);
    return guarded;
}

TEST(objects_of_every_size_hold_what_was_written) {
    lowtide_region* region = lowtide_region_create(NULL, NULL);
    REQUIRE(region);
    char* objects[COUNT_OF(sizes_of_every_range)];
    for (int round = 0; round < 3; ++round) {
        for (size_t i = 0; i < COUNT_OF(objects); ++i) {
            const size_t size = sizes_of_every_range[i];
            at("an object of a region", size, (size_t)round);
            objects[i] = (char*)lowtide_region_alloc(region, size);
            REQUIRE(objects[i]);
            CHECK_EQUAL((uintptr_t)objects[i] % 16, 0);
            if (size < 3 * MIB)
                fill(objects[i], size, i);
        }
        for (size_t i = 0; i < COUNT_OF(objects); ++i)
            CHECK(sizes_of_every_range[i] >= 3 * MIB || holds(objects[i], sizes_of_every_range[i], i));
        lowtide_region_reset(region);
    }
    lowtide_region_destroy(region);
}

TEST(impossible_objects_are_enomem) {
    lowtide_region* region = lowtide_region_create(NULL, NULL);
    const struct lowtide_region_statistics before = region_stats(region);
    for (size_t i = 0; i < COUNT_OF(impossible_sizes); ++i) {
        at("an object of a region", impossible_sizes[i], 0);
        errno = 0;
        CHECK(!lowtide_region_alloc(region, impossible_sizes[i]));
        CHECK_EQUAL(errno, ENOMEM);
        errno = 0;
        CHECK(!lowtide_region_alloc_aligned(region, MIB, impossible_sizes[i]));
        CHECK_EQUAL(errno, ENOMEM);
        errno = 0;
        CHECK(!lowtide_region_calloc(region, impossible_sizes[i], 1));
        CHECK_EQUAL(errno, ENOMEM);
    }
    const struct lowtide_region_statistics after = region_stats(region);
    CHECK(memcmp(&before, &after, sizeof before) == 0);
    CHECK(lowtide_region_alloc(region, 100));
    lowtide_region_destroy(region);
}

TEST(aligned_objects_are_aligned) {
    lowtide_region* region = lowtide_region_create(NULL, NULL);
    for (size_t alignment = 1; alignment <= LOWTIDE_REGION_MAX_ALIGNMENT; alignment *= 2) {
        for (size_t size = 0; size < 100000; size = size * 3 + 1) {
            at("an aligned object of a region", alignment, size);
            void* const object = lowtide_region_alloc_aligned(region, alignment, size);
            REQUIRE(object);
            CHECK_EQUAL((uintptr_t)object % alignment, 0);
            memset(object, 1, size);
        }
    }
    const size_t wrong[] = {0, 3, 24, 2 * MIB, SIZE_MAX};
    for (size_t i = 0; i < COUNT_OF(wrong); ++i) {
        at("a wrong alignment", wrong[i], 0);
        errno = 0;
        CHECK(!lowtide_region_alloc_aligned(region, wrong[i], 8));
        CHECK_EQUAL(errno, EINVAL);
    }
    lowtide_region_destroy(region);
}

TEST(an_empty_region_is_one_block_of_malloc) {
    const size_t before = live();
    lowtide_region* region = lowtide_region_create(NULL, NULL);
    CHECK_EQUAL(live() - before, 4096);
    CHECK_EQUAL(region_stats(region).held, 4096);
    lowtide_region_destroy(region);
    CHECK_EQUAL(live(), before);
}

/* What is held is what malloc was asked for; malloc rounds it up. */
TEST(what_is_held_is_mallocs) {
    if (all_are_guarded())
        return;
    const size_t before = live();
    lowtide_region* top = lowtide_region_create(NULL, NULL);
    for (size_t i = 0; i < 200; ++i) {
        lowtide_region* child = lowtide_region_create(i % 2 ? top : NULL, NULL);
        for (size_t n = 0; n < i; ++n)
            REQUIRE(lowtide_region_alloc(i % 2 ? top : child, n * n));
        const size_t held = region_stats(top).tree_held + (i % 2 ? 0 : region_stats(child).held);
        at("a tree after so many steps", i, held);
        CHECK(live() - before >= held);
        CHECK(live() - before <= held + held / 2);
        if (i % 3 == 0 || i % 2 == 0)
            lowtide_region_destroy(child);
        if (i % 50 == 0)
            lowtide_region_reset(top);
    }
    lowtide_region_destroy(top);
    CHECK_EQUAL(live(), before);
}

TEST(blocks_of_their_own_are_freed_alone) {
    lowtide_region* region = lowtide_region_create(NULL, NULL);
    const size_t held = region_stats(region).held;
    void* const small = lowtide_region_alloc(region, 64 * KIB);
    void* const large = lowtide_region_alloc(region, 64 * KIB + 1);
    CHECK_EQUAL(region_stats(region).blocks, 1);
    CHECK_EQUAL(lowtide_region_free(region, small), 0);
    CHECK_EQUAL(lowtide_region_free(region, NULL), 0);
    CHECK_EQUAL(lowtide_region_free(region, (char*)large + 16), 0);
    CHECK_EQUAL(lowtide_region_free(region, large), 1);
    for (int i = 0; i < 1000; ++i)
        CHECK_EQUAL(lowtide_region_free(region, lowtide_region_alloc(region, 10 * MIB)), 1);
    CHECK(region_stats(region).held < held + MIB);
    lowtide_region_destroy(region);
}

TEST(limits_are_edquot) {
    const struct lowtide_region_options options = {.size = sizeof options, .name = "limited", .limit = MIB};
    lowtide_region* region = lowtide_region_create(NULL, &options);
    REQUIRE(region);
    lowtide_region* child = lowtide_region_create(region, NULL);
    CHECK(lowtide_region_parent(child) == region);
    CHECK(strcmp(lowtide_region_name(region), "limited") == 0);
    errno = 0;
    CHECK(!lowtide_region_alloc(child, MIB));
    CHECK_EQUAL(errno, EDQUOT);
    CHECK_EQUAL(region_stats(region).refused, 1);
    CHECK(lowtide_region_alloc(child, MIB / 2));
    CHECK(!lowtide_region_alloc(region, MIB / 2));
    lowtide_region_destroy(child);
    CHECK(lowtide_region_alloc(region, MIB / 2));
    lowtide_region_destroy(region);
}

static char order[16];

static void note(void* data) {
    const size_t length = strlen(order);
    order[length] = *(const char*)data;
    order[length + 1] = '\0';
}

TEST(cleanups_run_in_reverse_order) {
    lowtide_region* region = lowtide_region_create(NULL, NULL);
    static char names[] = "abcde";
    CHECK_EQUAL(lowtide_region_add_cleanup(region, note, &names[0]), 0);
    lowtide_region* child = lowtide_region_create(region, NULL);
    lowtide_region_set_handle(child, &child);
    CHECK_EQUAL(lowtide_region_add_cleanup(region, note, &names[1]), 0);
    CHECK_EQUAL(lowtide_region_add_cleanup(child, note, &names[2]), 0);
    CHECK_EQUAL(lowtide_region_add_cleanup(child, note, &names[3]), 0);
    CHECK_EQUAL(lowtide_region_add_cleanup(child, note, &names[4]), 0);
    CHECK_EQUAL(lowtide_region_remove_cleanup(child, note, &names[3]), 1);
    CHECK_EQUAL(lowtide_region_remove_cleanup(child, note, &names[3]), 0);
    lowtide_region_reset(region);
    CHECK(!child);
    CHECK(strcmp(order, "beca") == 0);
    lowtide_region_destroy(region);
    CHECK_EQUAL(strlen(order), 4);
}

__attribute__((format(printf, 2, 3))) static char* print_by_list(lowtide_region* region, const char* format,
                                                                 ...) {
    va_list arguments;
    va_start(arguments, format);
    char* const text = lowtide_region_vprintf(region, format, arguments);
    va_end(arguments);
    return text;
}

TEST(text_is_copied_and_printed) {
    lowtide_region* region = lowtide_region_create(NULL, NULL);
    CHECK(strcmp(lowtide_region_strdup(region, "text"), "text") == 0);
    CHECK(strcmp(lowtide_region_strndup(region, "text", 2), "te") == 0);
    CHECK(memcmp(lowtide_region_memdup(region, "a\0b", 4), "a\0b", 4) == 0);
    CHECK(strcmp(lowtide_region_printf(region, "%s %d", "text", 1), "text 1") == 0);
    for (int width = 0; width < 10000; width += 77) {
        char* const text = print_by_list(region, "%*d|%s", width, 7, "end");
        at("printed with a width", (size_t)width, 0);
        CHECK_EQUAL(strlen(text), (width ? width : 1) + 4);
        CHECK(strcmp(text + strlen(text) - 5, "7|end") == 0);
    }
    lowtide_region_destroy(region);
}

TEST(success_leaves_errno_alone) {
    errno = 4711;
    lowtide_region* region = lowtide_region_create(NULL, NULL);
    for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i) {
        void* const object = lowtide_region_alloc(region, sizes_of_every_range[i]);
        lowtide_region_free(region, object);
        lowtide_region_printf(region, "%zu", i);
    }
    lowtide_region_reset(region);
    region_stats(region);
    lowtide_region_destroy(region);
    CHECK_EQUAL(errno, 4711);
}

TEST(a_tree_is_printed) {
    lowtide_region* region = lowtide_region_create(NULL, NULL);
    lowtide_region_create(region, NULL);
    const int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    CHECK_EQUAL(lowtide_region_print(region, fd), 0);
    close(fd);
    errno = 0;
    CHECK_EQUAL(lowtide_region_print(region, fd), -1);
    CHECK_EQUAL(errno, EIO);
    lowtide_region_destroy(region);
}

/* Runs the misuse in a child; its status, and what it said, cut off. */
static int end_of(void (*misuse)(void), char* said, size_t room) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        dup2(ends[1], 2);
        misuse();
        _exit(0);
    }
    close(ends[1]);
    const ssize_t got = read(ends[0], said, room - 1);
    said[got < 0 ? 0 : got] = '\0';
    close(ends[0]);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    return status;
}

static void ask_null(void) {
    lowtide_region_name(NULL);
}
static void destroy_twice(void) {
    lowtide_region* region = lowtide_region_create(NULL, NULL);
    lowtide_region_destroy(region);
    lowtide_region_destroy(region);
}
static void destroy_a_block(void) {
    lowtide_region_destroy((lowtide_region*)calloc(1, 1000));
}
static void use_after_reset(void) {
    const struct lowtide_region_options options = {.size = sizeof options, .guarded = 1};
    lowtide_region* region = lowtide_region_create(NULL, &options);
    volatile char* object = (volatile char*)lowtide_region_alloc(region, 100);
    lowtide_region_reset(region);
    object[0] = 1;
}
static void use_after_reset_where_all_are_guarded(void) {
    lowtide_region* region = lowtide_region_create(NULL, NULL);
    volatile char* object = (volatile char*)lowtide_region_alloc(region, 100);
    lowtide_region_destroy(region);
    object[0] = 1;
}

TEST(what_is_no_region_ends_the_program_with_a_line) {
    void (*const misuses[])(void) = {ask_null, destroy_twice, destroy_a_block};
    for (size_t i = 0; i < COUNT_OF(misuses); ++i) {
        char said[256];
        const int status = end_of(misuses[i], said, sizeof said);
        at("a misuse", i, (size_t)status);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        CHECK(strncmp(said, "lowtide: lowtide_region_", 24) == 0);
        CHECK(strstr(said, ": not a region, or one that was destroyed\n") != NULL);
    }
}

TEST(a_guarded_region_stops_use_after_reset) {
    char said[256];
    const int status = end_of(use_after_reset, said, sizeof said);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

/* The option is read once, so by a program anew. */
TEST(the_check_makes_every_region_a_guarded_one) {
    if (getenv("ABI_REGION_CHECKED")) {
        char said[256];
        CHECK(all_are_guarded());
        const int status = end_of(use_after_reset_where_all_are_guarded, said, sizeof said);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
        return;
    }
    const char* const own = getenv("LOWTIDE_CONF");
    CHECK_EQUAL(all_are_guarded(), own && strstr(own, "check:true"));
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        setenv("ABI_REGION_CHECKED", "1", 1);
        setenv("LOWTIDE_CONF", "check:true", 1);
        execl("/proc/self/exe", "abi_region", "the_check_makes_every_region_a_guarded_one", (char*)NULL);
        _exit(127);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK_EQUAL(status, 0);
}
