// The harness of the process tests: a test is one promise, run by ctest in a process of its own under
// LD_PRELOAD of the library. It either returns (passed), ends the process through REQUIRE (failed) or through
// skip(). Nothing here allocates unless it says so, so that a test decides itself when malloc is called.
//
// No test depends on how long something takes: storms count events, not seconds. The only use of time is the
// hang detector, an alarm in every process, whose default action ends it.
#pragma once

#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace harness {

// A process that is still there after this many seconds hangs.
constexpr unsigned kHangSeconds = 150;

using test_body = void (*)();
enum class kind {
    promise,          // a ctest test, on Lowtide
    promise_on_glibc, // a ctest test that is started without the library
    part,             // a program that a promise executes
};

struct registration {
    registration(const char* name, kind what, test_body body);
    const char* name;
    kind what;
    test_body body;
    registration* next;
};

#define HARNESS_REGISTER(name, what)                                                                         \
    static void name();                                                                                      \
    static const ::harness::registration name##_registration(#name, ::harness::kind::what, name);            \
    static void name()
#define PROMISE(name) HARNESS_REGISTER(name, promise)
#define PROMISE_ON_GLIBC(name) HARNESS_REGISTER(name, promise_on_glibc)
#define PART(name) HARNESS_REGISTER(name, part)

// Ends the process with status 1 and one line on stderr. Safe in a signal handler and in a forked child.
[[noreturn]] void fail(const char* file, int line, const char* what);
#define REQUIRE(condition)                                                                                   \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            ::harness::fail(__FILE__, __LINE__, #condition);                                                 \
        }                                                                                                    \
    } while (false)

// Ends the test with ctest's skip status, saying why on stderr.
[[noreturn]] void skip(std::string_view why);

// The path of the library under test, and whether malloc of this process is its own. A run on another
// allocator, to see what it does with a test, sets LOWTIDE_TEST_ANY_ALLOCATOR; malloc_is_ours then believes.
std::string library_path();
bool malloc_is_ours();
bool any_allocator_allowed();

// fork() for a child that a test waits for: it has the hang detector and does not outlive the thread that
// forked it. The guard alone is for children made by other means.
pid_t fork_guarded();
void guard_child();

// Waits for a child, through interruptions, and gives its status.
int wait_for(pid_t child);
// Waits for a child and fails, saying how it ended, unless it exited with status 0.
void require_success(pid_t child);

// What became of a child process, with all it wrote.
struct outcome {
    int status = 0;
    std::string out;
    std::string err;

    bool exited_with(int code) const { return WIFEXITED(status) && WEXITSTATUS(status) == code; }
    bool killed_by(int signal) const { return WIFSIGNALED(status) && WTERMSIG(status) == signal; }
};

// How a program is started. `prepare` runs in the child right before exec.
struct launch {
    std::vector<std::string> arguments = {};
    std::vector<std::string> environment = {}; // NAME=VALUE to set, NAME to unset
    void (*prepare)() = nullptr;
};

// Both run a program, searched in PATH, or a PART of this executable, and wait for its end (allocate).
outcome run(const launch& what);
outcome run_part(const char* part, launch how = {});
// The command line that runs a part, for a launch that wraps it (allocates).
std::vector<std::string> part_command(const char* part);
// Fails, showing what the child wrote, unless it exited with status 0. Status 77 skips this test as well.
void require_success(const outcome& of);

// Writes the text to stdout unbuffered, without stdio.
void say(std::string_view text);

// Resident memory of this process in bytes, from /proc/self/statm, without stdio.
size_t resident_bytes();
// The same once all that is free has gone back: which caches have been filled is the scheduler's business.
size_t resident_bytes_in_use();

// The address space of this process in bytes, from the same file.
size_t mapped_bytes();

} // namespace harness
