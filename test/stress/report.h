// The end of a stress test that has found something: which seed, thread, step and operation, and how to run
// it again. Works in a signal handler, in a child of fork and without memory: nothing here allocates.
#pragma once

#include <cstdint>

namespace stress {

// What the calling thread is doing.
struct activity {
    uint64_t seed = 0;
    unsigned thread = 0;
    uint64_t step = 0;
    const char* operation = "start";
};
extern constinit thread_local activity doing;

// How the program was called, for the line that says how to call it again.
void remember_command(int argc, char** argv, uint64_t seed);

// Prints and ends the process with status 1.
[[noreturn]] __attribute__((format(printf, 1, 2))) void fail(const char* format, ...);

// A line on standard output, at once.
__attribute__((format(printf, 1, 2))) void say(const char* format, ...);

} // namespace stress
