// Bulk: a batch of objects of one size is made, then freed, in one of three orders.
#include "table.h"
#include "workload.h"

namespace lowtide::bench {
namespace {

enum class order { lifo, fifo, random };

template <order freed>
void fill(table<std::uint32_t>& positions) {
    const auto count = static_cast<std::uint32_t>(positions.size());
    for (std::uint32_t i = 0; i < count; ++i)
        positions[i] = freed == order::lifo ? count - 1 - i : i;
    if (freed == order::random)
        shuffle(positions, random_numbers(1));
}

template <order freed>
outcome bulk(const parameters& with) {
    table<void*> objects(with.objects);
    table<std::uint32_t> positions(with.objects);
    fill<freed>(positions);
    outcome result;
    while (result.operations < with.operations) {
        for (void*& object : objects)
            object = make(with.size, ++result.operations);
        for (const std::uint32_t position : positions)
            result.checksum += drop(objects[position]) * (position + 1);
    }
    return result;
}

constexpr parameters of_16{.size = 16, .objects = 8192, .operations = 30'000'000};
constexpr parameters of_64{.size = 64, .objects = 8192, .operations = 20'000'000};
constexpr parameters of_256{.size = 256, .objects = 4096, .operations = 12'000'000};
constexpr parameters of_1k{.size = 1024, .objects = 1024, .operations = 8'000'000};
constexpr parameters of_8k{.size = 8192, .objects = 256, .operations = 500'000};

constexpr workload list[] = {
    {"bulk/lifo/16", "bulk", "8192 objects of 16 B, freed last in first out", bulk<order::lifo>, of_16},
    {"bulk/lifo/64", "bulk", "8192 objects of 64 B, freed last in first out", bulk<order::lifo>, of_64},
    {"bulk/lifo/256", "bulk", "4096 objects of 256 B, freed last in first out", bulk<order::lifo>, of_256},
    {"bulk/lifo/1K", "bulk", "1024 objects of 1 KiB, freed last in first out", bulk<order::lifo>, of_1k},
    {"bulk/lifo/8K", "bulk", "256 objects of 8 KiB, freed last in first out", bulk<order::lifo>, of_8k},
    {"bulk/fifo/16", "bulk", "8192 objects of 16 B, freed first in first out", bulk<order::fifo>, of_16},
    {"bulk/fifo/64", "bulk", "8192 objects of 64 B, freed first in first out", bulk<order::fifo>, of_64},
    {"bulk/fifo/256", "bulk", "4096 objects of 256 B, freed first in first out", bulk<order::fifo>, of_256},
    {"bulk/fifo/1K", "bulk", "1024 objects of 1 KiB, freed first in first out", bulk<order::fifo>, of_1k},
    {"bulk/fifo/8K", "bulk", "256 objects of 8 KiB, freed first in first out", bulk<order::fifo>, of_8k},
    {"bulk/random/16", "bulk", "8192 objects of 16 B, freed in random order", bulk<order::random>, of_16},
    {"bulk/random/64", "bulk", "8192 objects of 64 B, freed in random order", bulk<order::random>, of_64},
    {"bulk/random/256", "bulk", "4096 objects of 256 B, freed in random order", bulk<order::random>, of_256},
    {"bulk/random/1K", "bulk", "1024 objects of 1 KiB, freed in random order", bulk<order::random>, of_1k},
    {"bulk/random/8K", "bulk", "256 objects of 8 KiB, freed in random order", bulk<order::random>, of_8k},
};

} // namespace

constinit const workload_table bulk_workloads = list;

} // namespace lowtide::bench
