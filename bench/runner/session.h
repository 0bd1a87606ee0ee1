// A session: runs every benchmark on every allocator, several times.
#pragma once

#include "runner/results.h"

namespace lowtide::bench {

/// Interleaved: each round runs every allocator once, and each round starts with another one, so that neither
/// what else the machine does nor the order favours one of them. Fills in `rows`, and `interrupted` if that
/// happened: the row that it happened in is dropped. With `perf`, every allocator's last run is
/// one under that.
void run_session(const benchmark_list& benchmarks, results& measured, const profiler* perf = nullptr);

} // namespace lowtide::bench
