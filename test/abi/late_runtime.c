/* A C program that loads C++ late: operator new was resolved when there was nothing to throw std::bad_alloc
   with, and must find libstdc++ when it is there, wherever it was loaded to. */
#include "late_runtime.h"
#include "check.h"
#include "face.h"
#include "sizes.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct nothrow_t;

static void* symbol(void* handle, const char* name) {
    void* const found = dlsym(handle, name);
    at(name, 0, 0);
    REQUIRE(found);
    return found;
}

static void require_no_runtime(void) {
    at("the C++ runtime", 0, 0);
    REQUIRE(dlsym(RTLD_DEFAULT, "__cxa_throw") == NULL);
    REQUIRE(dlopen("libstdc++.so.6", RTLD_NOW | RTLD_NOLOAD) == NULL);
}

static void check_plugin(const char* path, int scope) {
    require_no_runtime();
    void* const handle = dlopen(path, RTLD_NOW | scope);
    at(path, (size_t)scope, 0);
    REQUIRE(handle);
    struct late_results (*run)(void);
    void* const found = symbol(handle, "use_the_late_runtime");
    memcpy(&run, &found, sizeof run);
    const struct late_results results = run();
    at(path, (size_t)scope, 0);
    CHECK(lowtide.owns(results.block));
    CHECK_EQUAL(results.caught_by_name, 4);
    CHECK_EQUAL(results.caught_as_exception, 4);
    CHECK_EQUAL(results.refused_without_throwing, 4);
    CHECK_EQUAL(results.handler_calls, 8);
    REQUIRE(dlclose(handle) == 0);
}

TEST(a_plugin_of_local_scope_catches_bad_alloc) {
    check_plugin(LATE_PLUGIN, RTLD_LOCAL);
}

TEST(a_plugin_of_global_scope_catches_bad_alloc) {
    check_plugin(LATE_PLUGIN, RTLD_GLOBAL);
}

/* As programs are shipped that do not want to depend on the system's libstdc++. */
TEST(a_plugin_that_brings_its_own_runtime_catches_bad_alloc) {
    check_plugin(LATE_PLUGIN_WITH_RUNTIME, RTLD_LOCAL);
}

TEST(without_a_runtime_nothrow_new_returns_null) {
    require_no_runtime();
    void* (*plain)(size_t);
    void* (*nothrow)(size_t, const struct nothrow_t*);
    void* found = symbol(RTLD_DEFAULT, "_Znwm");
    memcpy(&plain, &found, sizeof plain);
    found = symbol(RTLD_DEFAULT, "_ZnwmRKSt9nothrow_t");
    memcpy(&nothrow, &found, sizeof nothrow);
    CHECK(lowtide.owns(plain(100)));
    CHECK(lowtide.owns(nothrow(100, NULL)));
    CHECK(nothrow(SIZE_MAX, NULL) == NULL);
}

/* There is nothing to throw, and operator new must not return: the process ends, as std::terminate would end
 * it. */
TEST(without_a_runtime_a_refused_new_ends_the_process) {
    require_no_runtime();
    void* (*plain)(size_t);
    void* const found = symbol(RTLD_DEFAULT, "_Znwm");
    memcpy(&plain, &found, sizeof plain);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        plain(SIZE_MAX);
        _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
