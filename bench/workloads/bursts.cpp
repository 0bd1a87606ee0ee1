// Bursts: the program's memory grows to a peak and shrinks to an eighth, several times.
#include "table.h"
#include "workload.h"

namespace lowtide::bench {
namespace {

/// Objects that come at the end and go from anywhere.
class tide {
public:
    explicit tide(std::size_t most) : objects_(most) {}

    void come(std::size_t size) { objects_[count_++] = make(size, ++result_.operations * size); }

    void go(random_numbers& random) {
        void*& any = objects_[random.below(count_)];
        result_.checksum += drop(any);
        any = objects_[--count_];
    }

    std::size_t count() const { return count_; }
    const outcome& result() const { return result_; }

private:
    table<void*> objects_;
    std::size_t count_ = 0;
    outcome result_;
};

constexpr std::size_t ebb = 8; // what stays between two bursts: one in so many

outcome bursts(const parameters& with) {
    const size_range sizes(with.size, with.max_size);
    random_numbers random(1);
    tide objects(with.objects);
    while (objects.result().operations < with.operations) {
        while (objects.count() < with.objects)
            objects.come(sizes.draw(random));
        while (objects.count() > with.objects / ebb)
            objects.go(random);
    }
    while (objects.count() > 0)
        objects.go(random);
    return objects.result();
}

/// Each burst takes about the same memory, but in objects of another size than the one before: what the last
/// burst left free is of use only to an allocator that can turn it into something else.
outcome shifting_bursts(const parameters& with) {
    random_numbers random(1);
    tide objects(2 * with.objects);
    std::size_t size = with.size;
    while (objects.result().operations < with.operations) {
        const std::size_t count = with.objects * with.size / size;
        const std::size_t rest = objects.count();
        while (objects.count() < rest + count)
            objects.come(size);
        while (objects.count() > count / ebb)
            objects.go(random);
        size = size * 3 / 2;
        if (size > with.max_size)
            size = with.size;
    }
    while (objects.count() > 0)
        objects.go(random);
    return objects.result();
}

constexpr workload list[] = {
    {"burst/small",
     "burst",
     "300,000 objects to 512 B come, and seven of eight go, again and again",
     bursts,
     {.size = 16, .max_size = 512, .objects = 300'000, .operations = 2'500'000}},
    {"burst/mixed",
     "burst",
     "10,000 objects to 64 KiB come, and seven of eight go, again and again",
     bursts,
     {.size = 16, .max_size = 65536, .objects = 10'000, .operations = 300'000}},
    {"burst/shifting",
     "burst",
     "bursts of 32 MiB, each in objects half as large again as those of the last",
     shifting_bursts,
     {.size = 48, .max_size = 4096, .objects = 700'000, .operations = 2'500'000}},
};

} // namespace

constinit const workload_table burst_workloads = list;

} // namespace lowtide::bench
