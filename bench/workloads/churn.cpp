// Threads that come, allocate, hand half of it to a later thread and die: what an allocator keeps for each
// thread has to be made, and given up, every time.
#include "threads.h"
#include "workload.h"

namespace lowtide::bench {
namespace {

struct visitor {
    pthread_t id;
    size_range sizes;
    std::size_t objects;
    std::uint64_t seed;
    void** legacy; // what an earlier thread left, to be freed; then what this one leaves; half of `objects`
    bool has_legacy;
    thread_result result;
};

void* visit(void* argument) {
    visitor& self = *static_cast<visitor*>(argument);
    random_numbers random(self.seed);
    const std::size_t half = self.objects / 2;
    for (std::size_t i = 0; i < half; ++i) {
        if (self.has_legacy)
            self.result.checksum += drop(self.legacy[i]);
        self.legacy[i] = make(self.sizes.draw(random), ++self.result.operations);
        void* const own = make(self.sizes.draw(random), ++self.result.operations);
        self.result.checksum += drop(own) * self.seed;
    }
    self.has_legacy = true;
    return nullptr;
}

/// with.threads at a time; each takes over from the one that was in its place before.
outcome churn(const parameters& with) {
    const std::size_t half = with.objects / 2;
    table<visitor> visitors(with.threads);
    table<void*> legacies(half * with.threads);
    const std::uint64_t rounds = with.operations / (with.objects * with.threads) + 1;
    for (std::uint64_t round = 0; round < rounds; ++round)
        for (unsigned i = 0; i < with.threads; ++i) {
            visitor& place = visitors[i];
            if (round > 0)
                pthread_join(place.id, nullptr);
            place.sizes = {with.size, with.max_size};
            place.objects = with.objects;
            place.seed = round * with.threads + i + 1;
            place.legacy = &legacies[i * half];
            place.id = start_thread(visit, &place);
        }
    outcome total;
    for (visitor& each : visitors) {
        pthread_join(each.id, nullptr);
        total.operations += each.result.operations;
        total.checksum += each.result.checksum;
    }
    for (void* const object : legacies)
        total.checksum += drop(object);
    return total;
}

constexpr workload list[] = {
    {"churn/100",
     "churn",
     "short-lived threads, four at a time: 100 objects to 1 KiB, half of them handed on",
     churn,
     {.size = 16, .max_size = 1024, .objects = 100, .operations = 500'000, .threads = 4}},
    {"churn/2000",
     "churn",
     "short-lived threads, four at a time: 2,000 objects to 1 KiB, half of them handed on",
     churn,
     {.size = 16, .max_size = 1024, .objects = 2000, .operations = 5'000'000, .threads = 4}},
    {"churn/10000-threads",
     "churn",
     "10,000 short-lived threads, eight at a time: 40 objects to 32 KiB, half of them handed on",
     churn,
     {.size = 16, .max_size = 32768, .objects = 40, .operations = 400'000, .threads = 8}},
};

} // namespace

constinit const workload_table churn_workloads = list;

} // namespace lowtide::bench
