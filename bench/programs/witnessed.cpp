// See witnessed.h.
#include "programs/witnessed.h"

#include "runner/errors.h"
#include "runner/profiler.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <sstream>

namespace lowtide::bench {

namespace fs = std::filesystem;

namespace {

/// A run takes seconds, and a compiler calls itself deeply.
constexpr sampling profile_sampling{.per_second = 999, .stack_bytes = 16384};

} // namespace

witnessed::witnessed(const allocator& allocator, const program_settings& settings)
    : allocator_(allocator), record_(files_.path() / "witness"), witness_(files_.path() / "witness.so") {
    // A copy, for the same reasons as the allocators'.
    fs::copy_file(settings.witness, witness_);
    write_file(record_, "");
    fs::permissions(record_, fs::perms{0666}); // the program may run as another user
}

launch witnessed::prepare(std::vector<std::string> words) const {
    launch what{.words = std::move(words), .variables = allocator_.environment()};
    // Also for libc: a program may be linked with another allocator, which libc then goes before.
    what.variables["LD_PRELOAD"] = fmt::format("{}:{}", witness_.string(), allocator_.loaded.string());
    what.variables["LOWTIDE_BENCH_WITNESS"] = record_;
    return what;
}

measurement witnessed::account_for(const std::string& program, double ns_per_operation,
                                   const rusage& usage) const {
    measurement result{.ns_per_operation = ns_per_operation,
                       .peak_rss_kib = 0,
                       .minor_faults = 0,
                       .user_seconds = seconds_of(usage.ru_utime),
                       .system_seconds = seconds_of(usage.ru_stime),
                       .checksum = {}};
    std::istringstream lines(read_file(record_));
    std::string what;
    std::string name;
    for (int pid; lines >> what >> pid >> name;) {
        if (what == "start") {
            std::string object;
            std::getline(lines >> std::ws, object);
            verify(allocator_, {.malloc = object, .free = object});
        } else {
            double peak = 0;
            double faults = 0;
            lines >> peak >> faults;
            if (name == program) {
                result.peak_rss_kib = std::max(result.peak_rss_kib, peak);
                result.minor_faults += faults;
            }
        }
    }
    if (!(result.peak_rss_kib > 0 && result.minor_faults > 0))
        throw run_failed(fmt::format("no process of {} told of its end", program));
    return result;
}

call witnessed::profile(const std::string& program, const launch& what, const profiler& perf,
                        seconds limit) const {
    profiler::recording made = perf.record(what, allocator_, profile_sampling, limit);
    if (!made.end.succeeded())
        throw run_failed(made.end.reason());
    account_for(program, 1, made.end.usage);
    return std::move(made.calls);
}

std::string checksum_of(const std::string& text) {
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (const char c : text)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    return fmt::format("{:016x}", hash);
}

} // namespace lowtide::bench
