// Producers make objects, consumers free them: every object goes through a bounded ring to another thread.
#include "threads.h"
#include "workload.h"

#include <atomic>

namespace lowtide::bench {
namespace {

/// From one thread to one other. Each side keeps what it last saw of the other's position, so that the shared
/// cache lines move about once per lap and the allocator is what remains to be seen. All bits zero is empty.
class ring {
public:
    bool try_push(void* object) {
        const std::uint64_t at = written_.load(std::memory_order_relaxed);
        if (at - seen_read_ == capacity) {
            seen_read_ = read_.load(std::memory_order_acquire);
            if (at - seen_read_ == capacity)
                return false;
        }
        slots_[at % capacity] = object;
        written_.store(at + 1, std::memory_order_release);
        return true;
    }

    void* try_pop() {
        const std::uint64_t at = read_.load(std::memory_order_relaxed);
        if (at == seen_written_) {
            seen_written_ = written_.load(std::memory_order_acquire);
            if (at == seen_written_)
                return nullptr;
        }
        void* const object = slots_[at % capacity];
        read_.store(at + 1, std::memory_order_release);
        return object;
    }

private:
    static constexpr std::uint64_t capacity = 1024;

    alignas(2 * cache_line) std::atomic<std::uint64_t> written_;
    std::uint64_t seen_read_;
    alignas(2 * cache_line) std::atomic<std::uint64_t> read_;
    std::uint64_t seen_written_;
    alignas(2 * cache_line) void* slots_[capacity];
};

/// with.threads producers and as many consumers, a ring from each to each.
outcome hand_over(const parameters& with) {
    const unsigned n = with.threads;
    table<ring> rings(std::size_t{n} * n);
    table<thread_result> results(n);
    const std::uint64_t share = with.operations / n / n + 1; // per ring

    const auto produce = [&](unsigned self) {
        for (std::uint64_t i = 0; i < share * n; ++i) {
            void* const object = make(with.size, i * (self + 1));
            for (patience patient; !rings[self * n + i % n].try_push(object);)
                patient.wait();
        }
    };
    const auto consume = [&](unsigned self) {
        thread_result& result = results[self];
        for (std::uint64_t i = 0; i < share * n; ++i) {
            void* object;
            for (patience patient; (object = rings[i % n * n + self].try_pop()) == nullptr;)
                patient.wait();
            result.checksum += drop(object);
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
     hand_over,
     {.size = 64, .operations = 6'000'000}},
    {"ring/1K",
     "ring",
     "one thread makes objects of 1 KiB, another frees them",
     hand_over,
     {.size = 1024, .operations = 3'000'000}},
    {"ring/4x4",
     "ring",
     "four threads make objects of 64 B, four others free them",
     hand_over,
     {.size = 64, .operations = 6'000'000, .threads = 4}},
};

} // namespace

constinit const workload_table ring_workloads = list;

} // namespace lowtide::bench
