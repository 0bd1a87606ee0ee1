// What a session measured, and what it comes to. The reports (text, JSON, HTML) all show this.
#pragma once

#include "runner/benchmark.h"
#include "runner/statistics.h"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace lowtide::bench {

/// What is compared; less is better in each.
struct metric {
    const char* key;
    const char* title;
    double measurement::*value; // null: the system calls, which are counted in a run of their own
    bool of_all = false;        // every workload has it
};

inline constexpr std::array<metric, 7> all_metrics{{
    {"time", "time per operation", &measurement::ns_per_operation, true},
    {"peak_rss", "peak RSS", &measurement::peak_rss_kib, true},
    {"minor_faults", "minor page faults", &measurement::minor_faults, true},
    {"idle_rss", "RSS after a second of idling", &measurement::idle_rss_kib},
    {"mappings", "mappings after idling", &measurement::mappings},
    {"reload", "time per operation after idling", &measurement::reload_ns},
    {"system_calls", "system calls", nullptr},
}};

/// The runs of one workload on one allocator.
struct cell {
    std::vector<measurement> runs;
    std::optional<double> system_calls{};
    std::optional<call> calls{}; // if it was profiled
    std::string failure{};       // why there will be no more of them

    bool completed() const { return failure.empty() && !runs.empty(); }
    bool has(const metric& what) const {
        return completed() &&
               (what.value != nullptr ? runs.front().*what.value > 0 : system_calls.has_value());
    }
    std::vector<double> values(const metric& what) const; // one for each run
    spread of(const metric& what) const { return spread_of(values(what)); }
};

/// One workload; a cell for each allocator, in the order of results::allocators.
struct row {
    description about;
    std::vector<cell> cells{};
    std::string unavailable{}; // why nothing was run

    bool completed_by_all() const;
    bool all_have(const metric& what) const;
    /// Each cell's share (statistics.h), taken round by round; nothing where there is no result.
    std::vector<std::optional<spread>> shares(const metric& what) const;
    /// The median share as a multiple of the best one's; nothing where there is no result.
    std::vector<std::optional<double>> ratios(const metric& what) const;
    /// The same, as a multiple of the best one of the others: below 1 for the best itself.
    std::vector<std::optional<double>> ratios_to_others(const metric& what) const;
};

struct machine {
    std::string processor;
    unsigned processors;
    std::string memory;
    std::string kernel;
    std::string libc;
    std::string huge_pages; // the policy for transparent ones

    static machine this_one();
};

struct results {
    std::string date; // UTC, ISO 8601
    std::string command;
    machine where;
    unsigned repeat = 0;
    double scale = 1;
    bool system_calls = false; // are counted as well
    bool interrupted = false;
    std::vector<allocator> allocators{};
    std::vector<row> rows{};

    std::size_t failures() const;
    /// Those that were measured: those of all workloads always, the others where one has them.
    std::vector<metric> metrics() const;
};

/// An allocator's ratios over all workloads that every allocator completed.
struct standing {
    double mean; // geometric
    // The same of the ratios to the best of the others: at 1 or less, it is at their frontier or ahead of it.
    // Nothing where there are no others.
    std::optional<double> to_others;
    double worst;
    std::string worst_workload;
};

/// One for each allocator, without the baselines; none at all if there is no workload that every allocator
/// completed.
std::vector<standing> standings(const results& measured, const metric& what);

/// How many workloads the standings rest on.
std::size_t compared(const results& measured);

/// How many they could rest on: all but the baselines.
std::size_t comparable(const results& measured);

} // namespace lowtide::bench
