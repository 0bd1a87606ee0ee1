/* mallopt knows glibc's parameters and says so; malloc_stats writes to stderr and nowhere else. */
#include "check.h"
#include "memory.h"
#include "ways.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static const struct {
    const char* name;
    int parameter, value;
} known[] = {
    {"M_MXFAST", M_MXFAST, 64},        {"M_TRIM_THRESHOLD", M_TRIM_THRESHOLD, 128 * 1024},
    {"M_TOP_PAD", M_TOP_PAD, 0},       {"M_MMAP_THRESHOLD", M_MMAP_THRESHOLD, 128 * 1024},
    {"M_MMAP_MAX", M_MMAP_MAX, 65536}, {"M_CHECK_ACTION", M_CHECK_ACTION, 3},
    {"M_PERTURB", M_PERTURB, 0xa5},    {"M_ARENA_TEST", M_ARENA_TEST, 2},
    {"M_ARENA_MAX", M_ARENA_MAX, 2},
};

TEST(mallopt_returns_1_for_what_it_knows) {
    for (size_t i = 0; i < COUNT_OF(known); ++i) {
        at(known[i].name, 0, 0);
        CHECK_EQUAL(mallopt(known[i].parameter, known[i].value), 1);
    }
}

TEST(mallopt_returns_0_for_what_it_does_not_know) {
    const int unknown[] = {0, 5, 100, -9, -100, INT_MAX, INT_MIN};
    for (size_t i = 0; i < COUNT_OF(unknown); ++i) {
        at("mallopt", (size_t)unknown[i], 0);
        CHECK_EQUAL(mallopt(unknown[i], 1), 0);
    }
}

TEST(blocks_of_every_range_work_after_mallopt) {
    void* blocks[COUNT_OF(sizes_of_every_range)];
    for (size_t parameter = 0; parameter < COUNT_OF(known); ++parameter) {
        mallopt(known[parameter].parameter, known[parameter].value);
        for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i) {
            const size_t size = sizes_of_every_range[i];
            at(known[parameter].name, size, 0);
            blocks[i] = malloc(size);
            REQUIRE(blocks[i]);
            fill(blocks[i], size < 1 * MIB ? size : 1 * MIB, i);
        }
        for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i) {
            const size_t size = sizes_of_every_range[i];
            CHECK(holds(blocks[i], size < 1 * MIB ? size : 1 * MIB, i));
            free(blocks[i]);
        }
    }
}

/* A descriptor that goes to a file in memory, until it is put back. */
struct diverted {
    int descriptor, saved, file;
};

static struct diverted divert(int descriptor) {
    struct diverted diverted = {descriptor, dup(descriptor), memfd_create("diverted", 0)};
    REQUIRE(diverted.saved >= 0 && diverted.file >= 0 && dup2(diverted.file, descriptor) == descriptor);
    return diverted;
}

static size_t put_back(struct diverted diverted) {
    const off_t written = lseek(diverted.file, 0, SEEK_END);
    REQUIRE(dup2(diverted.saved, diverted.descriptor) == diverted.descriptor);
    close(diverted.saved);
    close(diverted.file);
    return (size_t)written;
}

TEST(malloc_stats_writes_to_stderr_only) {
    void* const block = malloc(1000);
    fflush(stdout);
    const struct diverted out = divert(STDOUT_FILENO);
    const struct diverted err = divert(STDERR_FILENO);
    malloc_stats();
    fflush(stdout);
    fflush(stderr);
    const size_t on_stderr = put_back(err);
    const size_t on_stdout = put_back(out);
    CHECK(on_stderr > 0);
    CHECK_EQUAL(on_stdout, 0);
    free(block);
}
