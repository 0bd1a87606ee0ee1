// What more threads than processors cost: the same work by many threads and by few.
#pragma once

#include "runner/results.h"

namespace lowtide::bench {

struct scaling {
    std::string workload; // without the number of threads
    unsigned fewest;
    unsigned most;
    /// For each allocator, the time per operation with the most threads by that with the fewest; nothing
    /// where one of them is missing.
    std::vector<std::optional<double>> ratios;
};

/// One for each workload that was run with several numbers of threads.
std::vector<scaling> scalings(const results& measured);

} // namespace lowtide::bench
