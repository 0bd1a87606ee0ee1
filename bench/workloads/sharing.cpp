// False sharing: threads that write to small objects of their own are slow if two of those lie on one cache
// line (cache-thrash and cache-scratch, after Berger's benchmarks for Hoard).
#include "threads.h"
#include "workload.h"

namespace lowtide::bench {
namespace {

constexpr unsigned writes = 500; // to each object in its life

/// Makes, writes again and again, and frees. One operation is one object's life.
void live(std::uint64_t lives, std::size_t size, thread_result& result) {
    for (std::uint64_t i = 0; i < lives; ++i) {
        void* const object = std::malloc(size);
        if (object == nullptr) [[unlikely]]
            out_of_memory(size);
        volatile std::uint64_t& word = *static_cast<std::uint64_t*>(object);
        word = i;
        for (unsigned n = 0; n < writes; ++n)
            word = word + 1;
        result.checksum += drop(object);
    }
    result.operations += lives;
}

/// Does the allocator itself hand neighbours to two threads that allocate at the same time?
outcome active(const parameters& with) {
    table<thread_result> results(with.threads);
    const std::uint64_t share = with.operations / with.threads + 1;
    on_threads(with.threads, [&](unsigned i) { live(share, with.size, results[i]); });
    return sum(results);
}

/// One thread makes neighbours and gives one to each thread, which frees it. Does the allocator now hand the
/// neighbours to these threads again?
outcome passive(const parameters& with) {
    table<thread_result> results(with.threads);
    table<void*> neighbours(with.threads);
    for (void*& each : neighbours)
        each = make(with.size, 1);
    const std::uint64_t share = with.operations / with.threads + 1;
    on_threads(with.threads, [&](unsigned i) {
        results[i].checksum += drop(neighbours[i]);
        ++results[i].operations;
        live(share, with.size, results[i]);
    });
    return sum(results);
}

constexpr workload list[] = {
    {"sharing/active",
     "sharing",
     "two threads make, write and free objects of 8 B",
     active,
     {.size = 8, .operations = 600'000, .threads = 2}},
    {"sharing/passive",
     "sharing",
     "two threads first free neighbours of 8 B that a third one made, then go on likewise",
     passive,
     {.size = 8, .operations = 600'000, .threads = 2}},
};

} // namespace

constinit const workload_table sharing_workloads = list;

} // namespace lowtide::bench
