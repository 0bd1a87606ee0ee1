// Threads, more of them than processors, that replace objects of mixed sizes in tables of their own and now
// and then swap one with whatever another thread left on a common shelf.
#include "threads.h"
#include "workload.h"

#include <atomic>

namespace lowtide::bench {
namespace {

constexpr std::size_t shelf_places = 256;
constexpr std::uint64_t private_steps = 8; // between two visits to the shelf

outcome mixed(const parameters& with) {
    table<void*> slots(with.objects * with.threads);
    table<std::atomic<void*>> shelf(shelf_places);
    table<thread_result> results(with.threads);
    const std::uint64_t share = with.operations / with.threads + 1;

    on_threads(with.threads, [&](unsigned self) {
        const size_range sizes(with.size, with.max_size);
        random_numbers random(self + 1);
        thread_result result{};
        const auto next = [&] { return make(sizes.draw(random), ++result.operations); };
        const auto end = [&](void* object) { result.checksum += object == nullptr ? 0 : drop(object); };
        void** const own = &slots[self * with.objects];
        while (result.operations < share) {
            for (std::uint64_t i = 0; i < private_steps; ++i) {
                void*& slot = own[random.below(with.objects)];
                end(slot);
                slot = next();
            }
            end(shelf[random.below(shelf_places)].exchange(next(), std::memory_order_acq_rel));
        }
        for (std::size_t i = 0; i < with.objects; ++i)
            end(own[i]);
        results[self] = result;
    });

    outcome total = sum(results);
    for (std::atomic<void*>& place : shelf)
        if (void* const object = place.load())
            total.checksum += drop(object);
    return total;
}

constexpr workload list[] = {
    {"threads",
     "threads",
     "threads replace 500 objects to 16 KiB each, one of nine handed to another thread",
     mixed,
     {.size = 16, .max_size = 16384, .objects = 500, .operations = 4'000'000},
     role::any_threads},
};

} // namespace

constinit const workload_table mixed_workloads = list;

} // namespace lowtide::bench
