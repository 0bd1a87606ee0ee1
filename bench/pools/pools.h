// The benchmarks of regions and block pools: what they share, and where each kind adds its own to the list.
//
// A name is KIND/WORKLOAD/CONTENDER. The contender `malloc` is whichever malloc the process has.
#pragma once

#include <benchmark/benchmark.h>

namespace lowtide::bench {

void add_regions();
void add_blocks();

/// The compiler must take the object for used.
inline void keep(void* object) {
    asm volatile("" : : "r"(object));
}

/// What the state has measured, for each of so many objects an iteration. Shown as the column `each`.
inline void count_objects(benchmark::State& state, std::size_t objects) {
    using counter = benchmark::Counter;
    state.counters["each"] =
        counter(static_cast<double>(objects), counter::kIsIterationInvariantRate | counter::kInvert);
}

} // namespace lowtide::bench
