// Pairs: an object is freed before the next one is made. The shortest way through an allocator.
#include "objects.h"
#include "workload.h"

namespace lowtide::bench {
namespace {

outcome pairs(const parameters& with) {
    outcome result{.operations = with.operations};
    for (std::uint64_t i = 0; i < with.operations; ++i) {
        void* const object = std::malloc(with.size);
        if (object == nullptr) [[unlikely]]
            out_of_memory(with.size);
        // Not the whole object: at 8 KiB that would be all that one measures.
        mark(object, i);
        result.checksum += drop(object);
    }
    return result;
}

constexpr workload list[] = {
    {"pair/16", "pair", "malloc and free at once, 16 B", pairs, {.size = 16, .operations = 40'000'000}},
    {"pair/64", "pair", "malloc and free at once, 64 B", pairs, {.size = 64, .operations = 40'000'000}},
    {"pair/256", "pair", "malloc and free at once, 256 B", pairs, {.size = 256, .operations = 40'000'000}},
    {"pair/1K", "pair", "malloc and free at once, 1 KiB", pairs, {.size = 1024, .operations = 40'000'000}},
    {"pair/8K", "pair", "malloc and free at once, 8 KiB", pairs, {.size = 8192, .operations = 20'000'000}},
};

} // namespace

constinit const workload_table pair_workloads = list;

} // namespace lowtide::bench
