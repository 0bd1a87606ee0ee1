// Threads that live for one round: they make objects, most of them small, leave some of them on a shelf that
// all share, free the most and die; the rest is for the thread that takes their place in the next round
// (after mimalloc's mstress).
#include "shelf.h"
#include "threads.h"
#include "workload.h"

#include <new>

namespace lowtide::bench {
namespace {

constexpr unsigned rounds = 50;
// One in so many …
constexpr std::size_t large = 16; // … is of any size, the others are small
constexpr std::size_t given = 4;  // … goes to the shelf as soon as it is made
constexpr std::size_t kept = 4;   // … places outlives the round
constexpr std::size_t small_size = 1024;

/// What the threads that follow each other in one place have in common.
class alignas(2 * cache_line) seat {
public:
    seat(std::span<void*> slots, const parameters& with, std::uint64_t seed)
        : slots_(slots), small_(with.size, small_size), any_(with.size, with.max_size), random_(seed) {}

    void one_round(std::uint64_t operations, shelf& shared) {
        for (; operations > 0; --operations) {
            void*& slot = slots_[random_.below(slots_.size())];
            result_.checksum += drop_if_any(slot);
            slot = next();
            if (random_.below(given) == 0)
                slot = shared.swap(slot, random_);
        }
        clear(slots_.subspan(slots_.size() / kept));
    }

    /// Frees what the last round has kept.
    const outcome& end() {
        clear(slots_);
        return result_;
    }

private:
    void* next() {
        const std::size_t size = (random_.below(large) == 0 ? any_ : small_).draw(random_);
        return make(size, ++result_.operations * size);
    }

    void clear(std::span<void*> slots) {
        for (void*& slot : slots)
            result_.checksum += drop_if_any(std::exchange(slot, nullptr));
    }

    std::span<void*> slots_;
    size_range small_;
    size_range any_;
    random_numbers random_;
    outcome result_;
};

outcome stress(const parameters& with) {
    const std::size_t objects = with.objects / with.threads; // each thread's
    table<void*> slots(objects * with.threads);
    table<seat> seats(with.threads);
    shelf shared;
    for (unsigned i = 0; i < with.threads; ++i)
        new (&seats[i]) seat({&slots[i * objects], objects}, with, i + 1);
    const std::uint64_t share = with.operations / with.threads / rounds + 1;
    for (unsigned round = 0; round < rounds; ++round)
        on_threads(with.threads, [&](unsigned i) { seats[i].one_round(share, shared); });
    outcome total{.checksum = shared.clear()};
    for (seat& each : seats) {
        const outcome& own = each.end();
        total.operations += own.operations;
        total.checksum += own.checksum;
    }
    return total;
}

constexpr workload list[] = {
    {"stress",
     "stress",
     "threads live for one of 50 rounds; objects to 64 KiB, mostly small, a quarter of them handed over",
     stress,
     {.size = 16, .max_size = 65536, .objects = 32'000, .operations = 12'000'000, .threads = 4},
     role::any_threads},
};

} // namespace

constinit const workload_table stress_workloads = list;

} // namespace lowtide::bench
