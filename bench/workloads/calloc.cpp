// Zeroed memory: blocks of one size are asked for, looked at, partly written and freed. The checksum has what
// was found in the blocks before anything was written: zero, on an allocator that keeps its word.
#include "table.h"
#include "workload.h"

namespace lowtide::bench {
namespace {

outcome replace_zeroed(const parameters& with) {
    table<void*> slots(with.objects);
    random_numbers random(1);
    outcome result;
    while (result.operations < with.operations) {
        void*& slot = slots[random.below(slots.size())];
        result.checksum += drop_if_any(slot);
        slot = std::calloc(1, with.size);
        if (slot == nullptr) [[unlikely]]
            out_of_memory(with.size);
        escape(slot);
        const auto words = static_cast<std::uint64_t*>(slot);
        const std::size_t count = with.size / sizeof(std::uint64_t);
        const std::size_t somewhere = random.below(count);
        result.checksum += words[0] + words[somewhere] + words[count - 1];
        words[somewhere] = words[count - 1] = ~std::uint64_t{0};
        words[0] = ++result.operations;
    }
    for (void* const slot : slots)
        result.checksum += drop_if_any(slot);
    return result;
}

constexpr workload list[] = {
    {"calloc/64",
     "calloc",
     "random ones of 1,000 zeroed blocks of 64 B replaced",
     replace_zeroed,
     {.size = 64, .objects = 1000, .operations = 15'000'000}},
    {"calloc/4K",
     "calloc",
     "random ones of 100 zeroed blocks of 4 KiB replaced",
     replace_zeroed,
     {.size = 4096, .objects = 100, .operations = 3'000'000}},
    {"calloc/1M",
     "calloc",
     "random ones of 8 zeroed blocks of 1 MiB replaced, three words of each written",
     replace_zeroed,
     {.size = std::size_t{1} << 20, .objects = 8, .operations = 10'000}},
};

} // namespace

constinit const workload_table calloc_workloads = list;

} // namespace lowtide::bench
