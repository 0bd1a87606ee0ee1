// A mass of objects, far more than the processor's caches and an allocator's hold, is made and then freed:
// the end of a large index, a document, a compiler's tree. Putting the addresses in order doesn't count.
#include "clock.h"
#include "table.h"
#include "workload.h"

#include <algorithm>

namespace lowtide::bench {
namespace {

enum class order { address, random };

template <order freed>
outcome mass(const parameters& with) {
    table<void*> objects(with.objects);
    const size_range sizes(with.size, with.max_size);
    random_numbers random(1);
    outcome result;
    while (result.operations < with.operations) {
        for (void*& object : objects)
            object = make(sizes.draw(random), ++result.operations);
        const double begin = now_ns();
        if (freed == order::address)
            std::sort(objects.begin(), objects.end());
        else
            shuffle(objects, random);
        result.aside_ns += now_ns() - begin;
        for (void* const object : objects)
            result.checksum += drop(object);
    }
    return result;
}

constexpr parameters of_a_million{.size = 16, .max_size = 256, .objects = 1'000'000, .operations = 9'000'000};

constexpr workload list[] = {
    {"bulk/mass/address", "bulk", "1,000,000 objects to 256 B, freed in the order of their addresses",
     mass<order::address>, of_a_million},
    {"bulk/mass/random", "bulk", "1,000,000 objects to 256 B, freed in random order", mass<order::random>,
     of_a_million},
};

} // namespace

constinit const workload_table mass_workloads = list;

} // namespace lowtide::bench
