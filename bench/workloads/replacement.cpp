// Random replacement in tables of several sizes, on one thread.
#include "replacement.h"
#include "table.h"
#include "workload.h"

namespace lowtide::bench {
namespace {

outcome replace(const parameters& with) {
    table<void*> slots(with.objects);
    replacement work({slots.begin(), slots.size()}, {with.size, with.max_size}, 1);
    work.fill();
    work.replace(with.operations);
    work.clear();
    return {.operations = work.made(), .checksum = work.checksum()};
}

constexpr workload list[] = {
    {"replace/1000",
     "replace",
     "random ones of 1,000 objects to 1 KiB replaced",
     replace,
     {.size = 16, .max_size = 1024, .objects = 1000, .operations = 10'000'000}},
    {"replace/100000",
     "replace",
     "random ones of 100,000 objects to 1 KiB replaced",
     replace,
     {.size = 16, .max_size = 1024, .objects = 100'000, .operations = 3'000'000}},
    {"replace/2000-32K",
     "replace",
     "random ones of 2,000 objects to 32 KiB replaced",
     replace,
     {.size = 16, .max_size = 32768, .objects = 2000, .operations = 3'000'000}},
};

} // namespace

constinit const workload_table replacement_workloads = list;

} // namespace lowtide::bench
