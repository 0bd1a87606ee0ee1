// What a workload is: a function that does a fixed amount of work on malloc and free, registered in the table
// of its subject's file.
//
// Invariants: the work depends on the parameters and on fixed seeds only, never on time, addresses or the
// order in which threads run; hence the checksum, which is made of what the objects hold when they are freed,
// is the same on every allocator. An allocator that hands memory out twice gives another one. (mass.cpp frees
// in the order of addresses, but all of its objects.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>

namespace lowtide::bench {

struct parameters {
    std::size_t size = 0;     // of an object; the smallest one where there is a max_size
    std::size_t max_size = 0; // sizes are then drawn so that each doubling is as likely as the next
    std::size_t objects = 0;  // alive at a time
    std::uint64_t operations = 0;
    unsigned threads = 1;
    double idle_seconds = 0;
};

/// When a workload that idles looks at its resident memory.
inline constexpr double idle_times_ms[] = {0, 500, 1000, 2000, 5000, 10'000};
inline constexpr std::size_t idle_samples = std::size(idle_times_ms);

struct outcome {
    std::uint64_t operations = 0; // what was really done: rounds are never cut in half
    std::uint64_t checksum = 0;
    double aside_ns = 0; // of the time, what does not count: preparations in the midst of the work
    // Of workloads that idle; 0: not looked at.
    double live_kib = 0;                // what they hold while they do
    double least_kib = 0;               // the pages that it lies on
    double idle_kib[idle_samples] = {}; // resident memory at these times
    double peak_live_kib = 0;
    double peak_kib = 0;  // resident memory at that time
    double mappings = 0;  // at the end of it
    double reload_ns = 0; // time of an operation when the work begins again
};

/// What the runner must know of a workload; --list shows it.
enum class role {
    usual,
    any_threads, // makes sense with any number of threads: --threads
    baseline,    // asks for no memory: what the others of its group take without an allocator
    idles,       // does nothing for some seconds, and says what it holds then
};

struct workload {
    const char* name;
    const char* group;
    const char* about;
    outcome (*run)(const parameters&);
    parameters with;
    role is = role::usual;
};

using workload_table = std::span<const workload>;

extern const workload_table pair_workloads;
extern const workload_table sized_workloads;
extern const workload_table bulk_workloads;
extern const workload_table mass_workloads;
extern const workload_table replacement_workloads;
extern const workload_table server_workloads;
extern const workload_table ring_workloads;
extern const workload_table burst_workloads;
extern const workload_table large_workloads;
extern const workload_table realloc_workloads;
extern const workload_table calloc_workloads;
extern const workload_table sharing_workloads;
extern const workload_table churn_workloads;
extern const workload_table mixed_workloads;
extern const workload_table stress_workloads;
extern const workload_table ebb_workloads;
extern const workload_table ebb_thread_workloads;
extern const workload_table blowup_workloads;

} // namespace lowtide::bench
