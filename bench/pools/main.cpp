// lowtide-bench-pools: regions and block pools against what programs use in their place. Options are Google
// Benchmark's; bench/README.md has the commands.
#include "pools.h"

#include "../witness/object_of.h"
#include "../workloads/objects.h"

#include <cstdio>
#include <future>
#include <thread>

namespace lowtide::bench {

void give_up(const char* why) {
    std::fprintf(stderr, "lowtide-bench-pools: %s\n", why);
    std::_Exit(1);
}

void out_of_memory(std::size_t size) {
    std::fprintf(stderr, "lowtide-bench-pools: no memory for %zu bytes\n", size);
    std::_Exit(1);
}

} // namespace lowtide::bench

int main(int count, char** words) {
    benchmark::Initialize(&count, words);
    if (benchmark::ReportUnrecognizedArguments(count, words))
        return 2;
    benchmark::AddCustomContext("malloc", lowtide::bench::object_of("malloc"));
    lowtide::bench::add_regions();
    lowtide::bench::add_blocks();
    // A process with threads: in one without, libc's locks are no atomic operations, as they never are in a
    // server.
    std::promise<void> end;
    std::thread bystander([&end] { end.get_future().wait(); });
    const std::size_t matched = benchmark::RunSpecifiedBenchmarks();
    end.set_value();
    bystander.join();
    benchmark::Shutdown();
    return matched == 0 ? 1 : 0;
}
