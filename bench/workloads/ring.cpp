// Producers make objects, consumers free them: every object goes through a bounded ring to another thread.
#include "threads.h"
#include "workload.h"

#include <atomic>

namespace lowtide::bench {
namespace {

/// From one thread to one other. Each side keeps what it last saw of the other's position, and tells its own
/// only now and then, as queues for many objects do: told one by one, what is measured is who of the two is
/// faster, for the slower one then has to fetch the position back each time. All bits zero is empty.
class ring {
public:
    static constexpr std::uint64_t capacity = 1024;

    bool try_push(void* object) {
        if (written_ - seen_read_ == capacity) {
            seen_read_ = read_told_.load(std::memory_order_acquire);
            if (written_ - seen_read_ == capacity)
                return false;
        }
        slots_[written_ % capacity] = object;
        if (++written_ % batch == 0)
            tell_written();
        return true;
    }
    void tell_written() { written_told_.store(written_, std::memory_order_release); }

    void* try_pop() {
        if (read_ == seen_written_) {
            seen_written_ = written_told_.load(std::memory_order_acquire);
            if (read_ == seen_written_)
                return nullptr;
        }
        void* const object = slots_[read_ % capacity];
        if (++read_ % batch == 0)
            tell_read();
        return object;
    }
    void tell_read() { read_told_.store(read_, std::memory_order_release); }

private:
    static constexpr std::uint64_t batch = 32;

    alignas(2 * cache_line) std::atomic<std::uint64_t> written_told_;
    alignas(2 * cache_line) std::uint64_t written_; // the producer's own
    std::uint64_t seen_read_;
    alignas(2 * cache_line) std::atomic<std::uint64_t> read_told_;
    alignas(2 * cache_line) std::uint64_t read_; // the consumer's own
    std::uint64_t seen_written_;
    alignas(2 * cache_line) void* slots_[capacity];
};

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
    static constexpr std::uint64_t count = ring::capacity + 2;

    std::size_t size_;
    table<char> objects_;
};

/// with.threads producers and as many consumers, a ring from each to each.
template <typename Source>
outcome hand_over(const parameters& with) {
    const unsigned n = with.threads;
    Source objects(with);
    table<ring> rings(std::size_t{n} * n);
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
