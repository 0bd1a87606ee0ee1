// Threads, more of them than processors, that replace objects of mixed sizes in tables of their own and now
// and then swap one with whatever another thread left on a common shelf. Some move between the processors.
#include "processors.h"
#include "shelf.h"
#include "threads.h"
#include "workload.h"

namespace lowtide::bench {
namespace {

constexpr std::uint64_t private_steps = 8; // between two visits to the shelf
constexpr std::uint64_t visits_there = 64; // to the shelf, before a thread that moves does so

enum class thread { stays, moves };

template <thread kind>
outcome mixed(const parameters& with) {
    table<void*> slots(with.objects * with.threads);
    table<thread_result> results(with.threads);
    shelf shared;
    const processors all;
    const std::uint64_t share = with.operations / with.threads + 1;

    on_threads(with.threads, [&](unsigned self) {
        const size_range sizes(with.size, with.max_size);
        random_numbers random(self + 1);
        thread_result result{};
        const auto next = [&] { return make(sizes.draw(random), ++result.operations); };
        void** const own = &slots[self * with.objects];
        for (std::uint64_t visits = 1; result.operations < share; ++visits) {
            for (std::uint64_t i = 0; i < private_steps; ++i) {
                void*& slot = own[random.below(with.objects)];
                result.checksum += drop_if_any(slot);
                slot = next();
            }
            result.checksum += drop_if_any(shared.swap(next(), random));
            if (kind == thread::moves && visits % visits_there == 0)
                all.move_to(self + visits / visits_there);
        }
        for (std::size_t i = 0; i < with.objects; ++i)
            result.checksum += drop_if_any(own[i]);
        results[self] = result;
    });

    outcome total = sum(results);
    total.checksum += shared.clear();
    return total;
}

constexpr workload list[] = {
    {"threads",
     "threads",
     "threads replace 500 objects to 16 KiB each, one of nine handed to another thread",
     mixed<thread::stays>,
     {.size = 16, .max_size = 16384, .objects = 500, .operations = 4'000'000},
     role::any_threads},
    {"threads/moving",
     "threads",
     "the same with eight threads, each of which moves to the next processor after 576 objects",
     mixed<thread::moves>,
     {.size = 16, .max_size = 16384, .objects = 500, .operations = 4'000'000, .threads = 8}},
};

} // namespace

constinit const workload_table mixed_workloads = list;

} // namespace lowtide::bench
