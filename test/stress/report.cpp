#include "report.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <unistd.h>

namespace stress {

constinit thread_local activity doing;

namespace {

char command[1024];

void write_line(int fd, const char* text, int length) {
    if (length > 0 && write(fd, text, static_cast<size_t>(length)) < 0)
        return; // nobody to tell
}

} // namespace

void remember_command(int argc, char** argv, uint64_t seed) {
    size_t used = 0;
    for (int i = 0; i < argc; ++i) {
        if (strncmp(argv[i], "--seed=", 7) == 0)
            continue;
        const int wrote = snprintf(command + used, sizeof(command) - used, "%s ", argv[i]);
        used = used + static_cast<size_t>(wrote) < sizeof(command) ? used + static_cast<size_t>(wrote) : used;
    }
    snprintf(command + used, sizeof(command) - used, "--seed=%lu", seed);
}

void fail(const char* format, ...) {
    char what[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    char text[2048];
    const int length =
        snprintf(text, sizeof(text), "FAILED: seed %lu, thread %u, step %lu, %s: %s\nagain: %s\n", doing.seed,
                 doing.thread, doing.step, doing.operation, what, command);
    write_line(STDERR_FILENO, text, length);
    _exit(1);
}

void say(const char* format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    write_line(STDOUT_FILENO, text, length);
}

} // namespace stress
