/* The frame of the ABI tests, for C and C++: TEST names one promise, CHECK counts what breaks it.
   Owner: runner.c. A program has one file of tests, runs the one named on its command line, or all of them,
   each in a process of its own. Nothing here allocates, and nothing here changes errno: both are what is
   tested. */
#ifndef LOWTIDE_TEST_ABI_CHECK_H
#define LOWTIDE_TEST_ABI_CHECK_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct abi_test {
    const char* name;
    void (*body)(void);
    struct abi_test* next;
};

void abi_register(struct abi_test* test);

/* What the checks that follow are about: printed with a failure, so that a loop says where it was. */
void at(const char* what, size_t first, size_t second);

/* Count and print a failure; 1 if all is well. */
int abi_check(int holds, const char* text, const char* file, int line);
int abi_check_equal(long long actual, long long expected, const char* text, const char* file, int line);

/* End this test now: the rest of it cannot run. */
__attribute__((noreturn)) void abi_stop(void);
/* End this test as not applicable on this machine; ctest takes it as such only where it was told to. */
__attribute__((noreturn)) void abi_skip(const char* why);

#ifdef __cplusplus
}
#endif

#define CHECK(condition) abi_check((condition) ? 1 : 0, #condition, __FILE__, __LINE__)
#define CHECK_EQUAL(actual, expected)                                                                        \
    abi_check_equal((long long)(actual), (long long)(expected), #actual " == " #expected, __FILE__, __LINE__)
#define REQUIRE(condition) (CHECK(condition) ? (void)0 : abi_stop())

#define TEST(promise)                                                                                        \
    static void promise(void);                                                                               \
    static struct abi_test promise##_test = {#promise, promise, NULL};                                       \
    __attribute__((constructor)) static void promise##_register(void) {                                      \
        abi_register(&promise##_test);                                                                       \
    }                                                                                                        \
    static void promise(void)

#endif
