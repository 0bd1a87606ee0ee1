// The witness: a library that is preloaded, before the allocator, into the real programs. In every process
// that comes of a program it appends two lines to the file that LOWTIDE_BENCH_WITNESS names:
//   start <pid> <program> <object file that malloc comes from>
//   end <pid> <program> <peak RSS in KiB> <minor faults>     only where the process ends by exit()
// A line is one write(2) with O_APPEND, so that the processes do not tear each other's. Nothing here calls
// malloc.
#include "witness/object_of.h"
#include "witness/peak_rss.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <sys/resource.h>

namespace lowtide::bench {
namespace {

/// Kept from the start: servers write their titles over the arguments, where libc's pointer leads, and nginx
/// empties its environment.
char program[64];
char record[512];

void append(const char* line, int length) {
    if (length <= 0)
        return;
    const int file = open(record, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (file < 0)
        return;
    (void)!write(file, line, static_cast<std::size_t>(length));
    close(file);
}

[[gnu::constructor]] void tell_start() {
    if (const char* const path = std::getenv("LOWTIDE_BENCH_WITNESS"))
        std::snprintf(record, sizeof record, "%s", path);
    std::snprintf(program, sizeof program, "%s", program_invocation_short_name);
    char line[4352];
    append(line,
           std::snprintf(line, sizeof line, "start %d %s %s\n", getpid(), program, object_of("malloc")));
}

[[gnu::destructor]] void tell_end() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    char line[256];
    append(line, std::snprintf(line, sizeof line, "end %d %s %ld %ld\n", getpid(), program, peak_rss_kib(),
                               usage.ru_minflt));
}

} // namespace
} // namespace lowtide::bench
