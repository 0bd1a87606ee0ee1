// Pairs of malloc and free.
#include "pairs.h"

namespace lowtide::bench {
namespace {

struct plain_forms {
    static void* obtain(std::size_t size) { return std::malloc(size); }
    static void release(void* object, std::size_t) { std::free(object); }
};

constexpr auto pairs_of_one = pairs_of_one_size<plain_forms>;

constexpr workload list[] = {
    {"pair/16",
     "pair",
     "malloc and free at once, 16 B",
     pairs_of_one,
     {.size = 16, .operations = 40'000'000}},
    {"pair/64",
     "pair",
     "malloc and free at once, 64 B",
     pairs_of_one,
     {.size = 64, .operations = 40'000'000}},
    {"pair/256",
     "pair",
     "malloc and free at once, 256 B",
     pairs_of_one,
     {.size = 256, .operations = 40'000'000}},
    {"pair/1K",
     "pair",
     "malloc and free at once, 1 KiB",
     pairs_of_one,
     {.size = 1024, .operations = 40'000'000}},
    {"pair/8K",
     "pair",
     "malloc and free at once, 8 KiB",
     pairs_of_one,
     {.size = 8192, .operations = 20'000'000}},
    {"pair/mixed",
     "pair",
     "malloc and free at once, each of another size from 16 B to 1 KiB",
     pairs_of_mixed_sizes<plain_forms>,
     {.size = 16, .max_size = 1024, .operations = 40'000'000}},
};

} // namespace

constinit const workload_table pair_workloads = list;

} // namespace lowtide::bench
