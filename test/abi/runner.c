/* main() of every ABI test program: makes sure that malloc is Lowtide's, then runs the tests (check.h). */
#include "check.h"
#include "face.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { printed_failures = 20, skipped = 77 };

static struct abi_test* first_test;
static struct abi_test** last_link = &first_test;

static int failures;
static struct {
    const char* what;
    size_t first, second;
} place;

void abi_register(struct abi_test* test) {
    *last_link = test;
    last_link = &test->next;
}

void at(const char* what, size_t first, size_t second) {
    place.what = what;
    place.first = first;
    place.second = second;
}

static int count_failure(void) {
    return ++failures <= printed_failures;
}

static void print_place(void) {
    if (place.what)
        printf("    at %s, %zu, %zu\n", place.what, place.first, place.second);
}

int abi_check(int holds, const char* text, const char* file, int line) {
    const int kept = errno;
    if (!holds && count_failure()) {
        printf("%s:%d: does not hold: %s\n", file, line, text);
        print_place();
    }
    errno = kept;
    return holds;
}

int abi_check_equal(long long actual, long long expected, const char* text, const char* file, int line) {
    const int kept = errno;
    const int holds = actual == expected;
    if (!holds && count_failure()) {
        printf("%s:%d: %s: is %lld (%#llx), expected %lld (%#llx)\n", file, line, text, actual,
               (unsigned long long)actual, expected, (unsigned long long)expected);
        print_place();
    }
    errno = kept;
    return holds;
}

static int verdict(void) {
    if (failures)
        printf("%d failed checks\n", failures);
    fflush(stdout);
    return failures ? 1 : 0;
}

void abi_stop(void) {
    verdict();
    _exit(1);
}

void abi_skip(const char* why) {
    printf("skipped: %s\n", why);
    fflush(stdout);
    _exit(skipped);
}

/* The programs would pass most of their tests on libc's malloc as well; that must never go unseen. */
static void require_lowtide(void) {
    const char* missing = load_face();
    at(missing, 0, 0);
    REQUIRE(!missing);
    void* const block = malloc(1);
    const int on_stack = 0;
    at("the check that malloc is Lowtide's", 0, 0);
    REQUIRE(lowtide.owns(block));
    REQUIRE(!lowtide.owns(&on_stack));
    free(block);
    at(NULL, 0, 0);
}

static int run(const struct abi_test* test) {
    test->body();
    return verdict();
}

static int run_by_name(const char* name) {
    for (const struct abi_test* test = first_test; test; test = test->next)
        if (strcmp(test->name, name) == 0)
            return run(test);
    printf("no such test: %s\n", name);
    return 2;
}

/* Each in a child, because a test may lower a limit, or end the process. */
static int run_all(void) {
    int broken = 0;
    for (const struct abi_test* test = first_test; test; test = test->next) {
        fflush(stdout);
        const pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0)
            _exit(run(test));
        int status = 0;
        REQUIRE(waitpid(child, &status, 0) == child);
        const int passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        printf("%s %s\n", passed ? "ok    " : "BROKEN", test->name);
        broken += !passed;
    }
    return broken ? 1 : 0;
}

int main(int argc, char** argv) {
    static char output[BUFSIZ];
    setvbuf(stdout, output, _IOLBF, sizeof output);
    require_lowtide();
    if (argc > 2) {
        fprintf(stderr, "usage: %s [TEST]\n", argv[0]);
        return 2;
    }
    return argc == 2 ? run_by_name(argv[1]) : run_all();
}
