// Something that can be measured on an allocator: a workload or a real program.
#pragma once

#include "runner/allocators.h"
#include "runner/profile.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lowtide::bench {

class profiler;

struct description {
    std::string name;
    std::string group;
    std::string about;
    unsigned threads = 0;  // the number at the name's end, if --threads chose it
    bool baseline = false; // says nothing of an allocator: what others take without one
    bool idles = false;    // spends most of its time doing nothing: only measured when asked for
};

/// What a process held while it did nothing, in KiB.
struct idling {
    double live = 0;                                // what the program had asked for and held
    double least = 0;                               // the pages that it lay on
    double peak_live = 0;                           // 0: not known
    double peak_rss = 0;                            // what was resident then; 0: not known
    double mappings_before = 0;                     // lines of /proc/self/maps, before the workload began
    double mappings = 0;                            // and after idling
    std::vector<std::pair<unsigned, double>> rss{}; // resident memory after so many ms
};

/// One run. All numbers are above zero, but for those that a workload doesn't have.
struct measurement {
    double ns_per_operation;
    double peak_rss_kib;
    double minor_faults;
    double user_seconds;
    double system_seconds;
    /// What the work came to; every run on every allocator must give the same. Empty where there is no such
    /// thing.
    std::string checksum;
    // Of workloads that idle; else 0.
    double idle_rss_kib = 0; // after a second of it
    double mappings = 0;     // after all of it
    double reload_ns = 0;    // time of an operation when the work begins again
    idling idle{};
};

class benchmark {
public:
    explicit benchmark(description about) : about_(std::move(about)) {}
    virtual ~benchmark() = default;

    const description& about() const { return about_; }
    /// Why it cannot be measured on this machine at all; a program that is not installed, say.
    virtual std::optional<std::string> unavailable() const { return std::nullopt; }
    /// Throws run_failed, also if `allocator` turns out not to be the one that the run used.
    virtual measurement run(const allocator& allocator) = 0;
    /// The system calls of one more run, its process's start included; nothing where they cannot be counted.
    /// Throws run_failed.
    virtual std::optional<double> system_calls(const allocator&) { return std::nullopt; }
    /// Where the time of one more run went; nothing for what is not profiled. Throws run_failed.
    virtual std::optional<call> profile(const allocator&, const profiler&) { return std::nullopt; }

private:
    description about_;
};

using benchmark_list = std::vector<std::unique_ptr<benchmark>>;

double seconds_of(const timeval& time);

} // namespace lowtide::bench
