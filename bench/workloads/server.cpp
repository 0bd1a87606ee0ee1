// A server whose threads live for some requests, replace random objects of those that they were handed, hand
// them all to a successor that they start, and die (after Larson and Krishnan, "Memory allocation for
// long-running server applications", 1998). Most objects are freed by another thread than the one that made
// them.
#include "replacement.h"
#include "threads.h"
#include "workload.h"

#include <new>

namespace lowtide::bench {
namespace {

constexpr unsigned generations = 20;

struct alignas(2 * cache_line) chain {
    chain(std::span<void*> slots, size_range sizes, std::uint64_t seed, std::uint64_t operations, sem_t& end)
        : work(slots, sizes, seed), share(operations), ended(&end) {}

    replacement work;
    std::uint64_t share; // of one generation
    unsigned generation = 0;
    sem_t* ended;
};

void* generation(void* argument) {
    chain& self = *static_cast<chain*>(argument);
    pthread_detach(pthread_self());
    self.work.replace(self.share);
    if (++self.generation == generations)
        sem_post(self.ended);
    else
        start_thread(generation, &self);
    return nullptr;
}

outcome serve(const parameters& with) {
    table<void*> slots(with.objects * with.threads);
    table<chain> chains(with.threads);
    sem_t ended;
    sem_init(&ended, 0, 0);
    const std::uint64_t share = with.operations / with.threads / generations + 1;
    for (unsigned i = 0; i < with.threads; ++i) {
        chain* const each = new (&chains[i])
            chain({&slots[i * with.objects], with.objects}, {with.size, with.max_size}, i, share, ended);
        each->work.fill();
    }
    for (chain& each : chains)
        start_thread(generation, &each);
    for (unsigned i = 0; i < with.threads; ++i)
        wait_for(ended);
    outcome result;
    for (chain& each : chains) {
        each.work.clear();
        result.operations += each.work.made();
        result.checksum += each.work.checksum();
    }
    return result;
}

constexpr workload list[] = {
    {"larson",
     "larson",
     "threads replace 1,000 objects to 512 B each, hand them on and die",
     serve,
     {.size = 16, .max_size = 512, .objects = 1000, .operations = 8'000'000},
     role::any_threads},
};

} // namespace

constinit const workload_table server_workloads = list;

} // namespace lowtide::bench
