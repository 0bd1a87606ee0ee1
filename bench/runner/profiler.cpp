// See profiler.h.
#include "runner/profiler.h"

#include "runner/errors.h"

#include <fmt/format.h>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace lowtide::bench {

namespace fs = std::filesystem;

namespace {

constexpr seconds short_time{20};
constexpr seconds reading_limit{300};

/// Virtual machines seldom have the processor's own events; the kernel's clock is everywhere.
constexpr const char* event = "cpu-clock";

/// What an unprivileged user may do: see perf_event_open(2).
int paranoia() {
    int level = 0;
    std::ifstream("/proc/sys/kernel/perf_event_paranoid") >> level;
    return level;
}

/// perf's messages begin with the matter and end with advice.
std::string first_line(const std::string& errors) {
    std::istringstream lines(errors);
    std::string line;
    while (std::getline(lines, line) && (line.empty() || line == "Error:")) {
    }
    return line;
}

} // namespace

profiler::profiler(const supervisor& processes) : processes_(processes), program_(find_program("perf")) {
    if (program_.empty())
        throw usage_error("--flame needs perf, which is not installed (Debian: linux-perf)");
    const ended trial = processes_.run(
        perf({"record", "--quiet", "--event", event, "--output", "/dev/null", "--", program_, "--version"}),
        short_time);
    if (!trial.succeeded())
        throw usage_error(fmt::format("--flame: perf cannot record here (kernel.perf_event_paranoid is {}; "
                                      "with 1, or as root, it can): {}",
                                      paranoia(), first_line(trial.errors)));
}

bool profiler::sees_kernel() const {
    return geteuid() == 0 || paranoia() < 2;
}

launch profiler::perf(std::vector<std::string> words) const {
    words.insert(words.begin(), program_);
    // Neither the user's settings for perf nor the network, where symbols can be asked for, shall matter.
    return {.words = std::move(words), .variables = {{"PERF_CONFIG", "/dev/null"}, {"DEBUGINFOD_URLS", ""}}};
}

// perf gets the allocator itself: with a program in between that sets the variable, such as env(1), libc
// would be mapped twice in the process, and the callers of its functions are then lost in every other run.
profiler::recording profiler::record(const launch& what, const allocator& on, sampling how,
                                     seconds limit) const {
    const fs::path data = files_.path() / "perf.data";
    const launch before = perf({"record", "--quiet", "--no-buildid", "--no-buildid-cache", "--event", event,
                                "--freq", fmt::format("{}", how.per_second), "--call-graph",
                                fmt::format("dwarf,{}", how.stack_bytes), "--output", data, "--"});
    launch both = what;
    both.words.insert(both.words.begin(), before.words.begin(), before.words.end());
    both.variables.insert(before.variables.begin(), before.variables.end());
    recording made{.end = processes_.run(both, limit), .calls = {}};
    if (!made.end.succeeded())
        return made;
    const ended read = processes_.run(
        perf({"script", "--no-inline", "--fields", "comm,ip,sym,dso", "--input", data}), reading_limit);
    if (!read.succeeded())
        throw run_failed(fmt::format("perf script: {}", read.reason()));
    fs::remove(data); // or perf would keep it under another name
    made.calls = fold(read.output, on.loaded);
    return made;
}

} // namespace lowtide::bench
