// The workloads as benchmarks: each run is a fresh process of lowtide-workloads.
#pragma once

#include "runner/benchmark.h"

namespace lowtide::bench {

struct workload_settings {
    std::filesystem::path program;
    double scale = 1;
    std::vector<unsigned> threads; // for the workloads that can have any number
};

/// What counts system calls; empty if it is not installed.
std::filesystem::path strace_program();

/// All that the program knows, in its order; those for any number of threads once for each number asked for.
/// `processes` must outlive them.
benchmark_list workload_benchmarks(const workload_settings& settings, const supervisor& processes);

} // namespace lowtide::bench
