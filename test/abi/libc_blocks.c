/* What libc allocates for the program comes from Lowtide, by whichever name libc calls it: a static program
   links without libc's own malloc, and its __libc_ names give blocks that free takes. */
#include "check.h"
#include "face.h"
#include "memory.h"
#include "ways.h"

#include <dirent.h>
#include <locale.h>
#include <pthread.h>
#include <regex.h>
#include <search.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* glibc exports these, and its headers declare none of them. */
extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void __libc_free(void*);
extern void* __libc_memalign(size_t, size_t);
extern void* __libc_valloc(size_t);
extern void* __libc_pvalloc(size_t);

static void check_ours(const char* what, void* block) {
    at(what, 0, 0);
    REQUIRE(block);
    CHECK(lowtide.owns(block));
    free(block);
}

TEST(blocks_that_libc_returns_are_ours) {
    check_ours("strdup", strdup("low"));
    check_ours("strndup", strndup("tide", 2));
    check_ours("getcwd", getcwd(NULL, 0));
    check_ours("realpath", realpath("/", NULL));
    char* text = NULL;
    REQUIRE(asprintf(&text, "%0500d", 1) == 500);
    check_ours("asprintf", text);
    size_t size = 0;
    FILE* const stream = open_memstream(&text, &size);
    REQUIRE(stream && fputs("low tide\n", stream) >= 0 && fclose(stream) == 0);
    check_ours("open_memstream", text);
    FILE* const lines = fmemopen((char[]){"low\ntide\n"}, 9, "r");
    char* line = NULL;
    size = 0;
    REQUIRE(lines && getline(&line, &size, lines) == 4 && fclose(lines) == 0);
    check_ours("getline", line);
}

TEST(what_libc_keeps_for_the_program_is_given_back) {
    size_t before = 0;
    for (int round = 0; round < 3; ++round) {
        if (round == 1) /* in the first, libc may have set up something for good */
            before = mallinfo2().uordblks;
        FILE* const file = fopen("/proc/self/maps", "re");
        REQUIRE(file && fgetc(file) != EOF);
        CHECK(mallinfo2().uordblks > before);
        fclose(file);
        DIR* const directory = opendir("/proc/self");
        REQUIRE(directory && readdir(directory));
        closedir(directory);
        regex_t expression;
        REQUIRE(regcomp(&expression, "^(low|tide)+[0-9]*$", REG_EXTENDED) == 0);
        CHECK_EQUAL(regexec(&expression, "lowtide12", 0, NULL, 0), 0);
        regfree(&expression);
    }
    CHECK_EQUAL(mallinfo2().uordblks, before);
}

TEST(the_libc_names_give_and_take_our_blocks) {
    const size_t before = mallinfo2().uordblks;
    check_ours("__libc_malloc", __libc_malloc(100));
    check_ours("__libc_calloc", __libc_calloc(10, 10));
    check_ours("__libc_realloc", __libc_realloc(malloc(10), 10000));
    check_ours("__libc_memalign", __libc_memalign(4096, 100));
    check_ours("__libc_valloc", __libc_valloc(100));
    check_ours("__libc_pvalloc", __libc_pvalloc(100));
    __libc_free(malloc(100));
    CHECK_EQUAL(mallinfo2().uordblks, before);
}

static _Thread_local char in_thread[100000];

static void* thread_body(void* argument) {
    memset(in_thread, 1, sizeof in_thread);
    void* const block = malloc(1000);
    CHECK(lowtide.owns(block));
    return argument ? argument : block;
}

TEST(threads_run_and_give_their_blocks) {
    for (int i = 0; i < 10; ++i) {
        pthread_t thread;
        void* block = NULL;
        REQUIRE(pthread_create(&thread, NULL, thread_body, NULL) == 0);
        REQUIRE(pthread_join(thread, &block) == 0);
        check_ours("pthread_join", block);
    }
}

TEST(a_child_allocates_after_fork) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        void* const block = malloc(100000);
        _exit(block && lowtide.owns(block) ? 0 : 1);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK_EQUAL(status, 0);
}

static int by_value(const void* a, const void* b) {
    return *(const int*)a < *(const int*)b ? -1 : *(const int*)a > *(const int*)b;
}

TEST(parts_of_libc_that_allocate_on_the_way_work) {
    static int numbers[100000]; /* more than qsort keeps on the stack */
    for (int i = 0; i < (int)COUNT_OF(numbers); ++i)
        numbers[i] = (int)((unsigned)i * 2654435761u >> 8);
    qsort(numbers, COUNT_OF(numbers), sizeof *numbers, by_value);
    for (size_t i = 1; i < COUNT_OF(numbers); ++i)
        CHECK(numbers[i - 1] <= numbers[i]);
    CHECK(setlocale(LC_ALL, "C") != NULL);
    CHECK(setenv("LOWTIDE_TEST_OF_SETENV", "1", 1) == 0 && unsetenv("LOWTIDE_TEST_OF_SETENV") == 0);
    const time_t now = 0;
    CHECK(localtime(&now) != NULL);
    CHECK(hcreate(100) != 0);
    hdestroy();
    char wide[100];
    CHECK(snprintf(wide, sizeof wide, "%.60Lf", 1.0L / 3) == 62);
}
