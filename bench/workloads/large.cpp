// Medium and large blocks, 16 KiB to 25 MiB: buffers, pages of a cache, requests.
#include "table.h"
#include "workload.h"

namespace lowtide::bench {
namespace {

enum class written { first_page, each_page };

template <written part>
void* block(std::size_t size, std::uint64_t tag) {
    void* const memory = std::malloc(size);
    if (memory == nullptr) [[unlikely]]
        out_of_memory(size);
    touch(memory, part == written::each_page ? size : page, page, tag);
    return memory;
}

outcome pairs(const parameters& with) {
    outcome result{.operations = with.operations};
    for (std::uint64_t i = 0; i < with.operations; ++i)
        result.checksum += drop(block<written::first_page>(with.size, i));
    return result;
}

/// Draws sizes from min to max, each as likely as the next: what files and pictures of one kind have.
class even_range {
public:
    even_range(std::size_t min, std::size_t max) : min_(min), count_(max - min + 1) {}
    std::size_t draw(random_numbers& random) const { return min_ + random.below(count_); }

private:
    std::size_t min_;
    std::size_t count_;
};

template <written part, typename Sizes = size_range>
outcome mix(const parameters& with) {
    table<void*> slots(with.objects);
    const Sizes sizes(with.size, with.max_size);
    random_numbers random(1);
    outcome result;
    const auto next = [&] {
        const std::size_t size = sizes.draw(random);
        return block<part>(size, ++result.operations * size);
    };
    for (void*& slot : slots)
        slot = next();
    while (result.operations < with.operations) {
        void*& slot = slots[random.below(slots.size())];
        result.checksum += drop(slot);
        slot = next();
    }
    for (void* const slot : slots)
        result.checksum += drop(slot);
    return result;
}

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;

constexpr workload list[] = {
    {"large/pair/16K",
     "large",
     "malloc and free at once, 16 KiB",
     pairs,
     {.size = 16 * kib, .operations = 8'000'000}},
    {"large/pair/64K",
     "large",
     "malloc and free at once, 64 KiB",
     pairs,
     {.size = 64 * kib, .operations = 3'000'000}},
    {"large/pair/256K",
     "large",
     "malloc and free at once, 256 KiB",
     pairs,
     {.size = 256 * kib, .operations = 2'000'000}},
    {"large/pair/1M",
     "large",
     "malloc and free at once, 1 MiB",
     pairs,
     {.size = mib, .operations = 1'000'000}},
    {"large/pair/2M",
     "large",
     "malloc and free at once, 2 MiB",
     pairs,
     {.size = 2 * mib, .operations = 3'000'000}},
    {"large/pair/8M",
     "large",
     "malloc and free at once, 8 MiB",
     pairs,
     {.size = 8 * mib, .operations = 300'000}},
    {"large/mix/16K-256K",
     "large",
     "random ones of 64 blocks of 16 to 256 KiB replaced",
     mix<written::first_page>,
     {.size = 16 * kib, .max_size = 256 * kib, .objects = 64, .operations = 1'000'000}},
    {"large/mix/64K-8M",
     "large",
     "random ones of 32 blocks of 64 KiB to 8 MiB replaced",
     mix<written::first_page>,
     {.size = 64 * kib, .max_size = 8 * mib, .objects = 32, .operations = 200'000}},
    {"large/touched/16K-256K",
     "large",
     "as large/mix/16K-256K, each page written",
     mix<written::each_page>,
     {.size = 16 * kib, .max_size = 256 * kib, .objects = 64, .operations = 300'000}},
    {"large/touched/64K-8M",
     "large",
     "as large/mix/64K-8M, each page written",
     mix<written::each_page>,
     {.size = 64 * kib, .max_size = 8 * mib, .objects = 32, .operations = 5'000}},
    {"large/touched/5M-25M",
     "large",
     "random ones of 20 blocks of 5 to 25 MiB replaced, each page written",
     mix<written::each_page, even_range>,
     {.size = 5 * mib, .max_size = 25 * mib, .objects = 20, .operations = 1'000}},
};

} // namespace

constinit const workload_table large_workloads = list;

} // namespace lowtide::bench
