// Producers make objects, consumers free them: every object goes through a bounded ring to another thread.
#include "ring.h"
#include "threads.h"
#include "workload.h"

namespace lowtide::bench {
namespace {

using object_ring = ring<1024, 32>;

/// Where the objects come from, and go back to: the allocator.
class allocated {
public:
    explicit allocated(const parameters& with) : size_(with.size) {}

    void* take(std::uint64_t, std::uint64_t tag) { return make(size_, tag); }
    std::uint64_t give_back(void* object) { return drop(object); }

private:
    std::size_t size_;
};

/// The same objects round and round, from one producer to one consumer: what is left when an allocator takes
/// no time at all.
class prepared {
public:
    explicit prepared(const parameters& with) : size_(with.size), objects_(count * with.size) {}

    void* take(std::uint64_t i, std::uint64_t tag) {
        void* const object = &objects_[i % count * size_];
        initialise(object, size_, tag);
        return object;
    }
    std::uint64_t give_back(void* object) { return tag_of(object); }

private:
    /// As many as can be on the way: a full ring, what the producer is writing and what the consumer is
    /// reading.
    static constexpr std::uint64_t count = object_ring::capacity + 2;

    std::size_t size_;
    table<char> objects_;
};

/// with.threads producers and as many consumers, a ring from each to each.
template <typename Source>
outcome hand_over(const parameters& with) {
    const unsigned n = with.threads;
    Source objects(with);
    table<object_ring> rings(std::size_t{n} * n);
    table<thread_result> results(n);
    const std::uint64_t share = with.operations / n / n + 1; // per ring

    // Who has to wait tells all that it has done first: that may be what the others wait for.
    const auto produce = [&](unsigned self) {
        const auto tell = [&] {
            for (unsigned to = 0; to < n; ++to)
                rings[self * n + to].tell_written();
        };
        for (std::uint64_t i = 0; i < share * n; ++i) {
            void* const object = objects.take(i, i * (self + 1));
            for (patience patient; !rings[self * n + i % n].try_push(object); patient.wait())
                tell();
        }
        tell();
    };
    const auto consume = [&](unsigned self) {
        const auto tell = [&] {
            for (unsigned from = 0; from < n; ++from)
                rings[from * n + self].tell_read();
        };
        thread_result& result = results[self];
        for (std::uint64_t i = 0; i < share * n; ++i) {
            void* object;
            for (patience patient; (object = rings[i % n * n + self].try_pop()) == nullptr; patient.wait())
                tell();
            result.checksum += objects.give_back(object);
            ++result.operations;
        }
    };
    on_threads(2 * n, [&](unsigned i) { i % 2 == 0 ? produce(i / 2) : consume(i / 2); });
    return sum(results);
}

constexpr workload list[] = {
    {"ring/64",
     "ring",
     "one thread makes objects of 64 B, another frees them",
     hand_over<allocated>,
     {.size = 64, .operations = 6'000'000}},
    {"ring/1K",
     "ring",
     "one thread makes objects of 1 KiB, another frees them",
     hand_over<allocated>,
     {.size = 1024, .operations = 3'000'000}},
    {"ring/4x4",
     "ring",
     "four threads make objects of 64 B, four others free them",
     hand_over<allocated>,
     {.size = 64, .operations = 6'000'000, .threads = 4}},
    {"ring/alone",
     "ring",
     "no malloc: ring/64 on objects that are there already; what that takes more is the allocator's",
     hand_over<prepared>,
     {.size = 64, .operations = 6'000'000},
     role::baseline},
};

} // namespace

constinit const workload_table ring_workloads = list;

} // namespace lowtide::bench
