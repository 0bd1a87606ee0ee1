// Ebbs: the program frees most of what it had, or all, and does nothing for a while. What it still holds then
// is the allocator's.
#include "clock.h"
#include "idle.h"
#include "idle_threads.h"
#include "table.h"
#include "workload.h"

namespace lowtide::bench {
namespace {

/// Many objects of one size come, and all but one in `keep` go (0: all), in the order in which they came.
template <std::size_t keep>
outcome ebb(const parameters& with) {
    const idle_threads others(1, 1);
    table<void*> objects(with.operations);
    random_numbers random(1);
    outcome result;
    for (void*& each : objects)
        each = make(with.size, ++result.operations);
    std::uint64_t kept = 0;
    std::uint64_t least = 0;
    for (void*& each : objects) {
        if (keep != 0 && random.below(keep) == 0) {
            ++kept;
            continue;
        }
        result.checksum += drop(each) * result.operations;
        each = nullptr;
    }
    {
        touched_pages pages;
        for (void* each : objects)
            if (each != nullptr)
                pages.add(each, with.size);
        least = pages.bytes();
    }
    stay_idle(result, with.idle_seconds, kept * with.size, least);
    for (void* each : objects)
        result.checksum += drop_if_any(each);
    return result;
}

/// Two seconds of work and two of none, twice.
outcome sawtooth(const parameters& with) {
    const idle_threads others(1, 1);
    const size_range sizes(with.size, with.max_size);
    random_numbers random(1);
    table<void*> objects(with.objects);
    outcome result;
    for (int tooth = 0; tooth < 2; ++tooth) {
        const std::uint64_t end = result.operations + with.operations / 2;
        while (result.operations < end) {
            void*& any = objects[random.below(objects.size())];
            result.checksum += drop_if_any(any);
            any = make(sizes.draw(random), ++result.operations);
        }
        for (void*& each : objects)
            result.checksum += drop_if_any(std::exchange(each, nullptr));
        stay_idle(result, with.idle_seconds, 0, 0);
    }
    return result;
}

constexpr workload list[] = {
    {"ebb/120",
     "ebb",
     "1,000,000 objects of 120 B come, and all go",
     ebb<0>,
     {.size = 120, .operations = 1'000'000, .idle_seconds = 2},
     role::idles},
    {"ebb/keep/32",
     "ebb",
     "2,000,000 objects of 32 B come, and all but one in 64 go",
     ebb<64>,
     {.size = 32, .operations = 2'000'000, .idle_seconds = 2},
     role::idles},
    {"ebb/keep/256",
     "ebb",
     "400,000 objects of 256 B come, and all but one in 64 go",
     ebb<64>,
     {.size = 256, .operations = 400'000, .idle_seconds = 2},
     role::idles},
    {"ebb/keep/1K",
     "ebb",
     "200,000 objects of 1 KiB come, and all but one in 64 go",
     ebb<64>,
     {.size = 1024, .operations = 200'000, .idle_seconds = 2},
     role::idles},
    {"ebb/keep/4K",
     "ebb",
     "50,000 objects of 4 KiB come, and all but one in 64 go",
     ebb<64>,
     {.size = 4096, .operations = 50'000, .idle_seconds = 2},
     role::idles},
    {"ebb/keep/16K",
     "ebb",
     "12,500 objects of 16 KiB come, and all but one in 64 go",
     ebb<64>,
     {.size = 16384, .operations = 12'500, .idle_seconds = 2},
     role::idles},
    {"ebb/sawtooth",
     "ebb",
     "random ones of 100,000 objects to 8 KiB replaced, all freed, nothing for two seconds; twice",
     sawtooth,
     {.size = 16, .max_size = 8192, .objects = 100'000, .operations = 12'000'000, .idle_seconds = 2},
     role::idles},
};

} // namespace

constinit const workload_table ebb_workloads = list;

} // namespace lowtide::bench
