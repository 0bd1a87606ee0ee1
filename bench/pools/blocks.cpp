// Large blocks of one size that go round and round: block pools, malloc and free, and what programs write
// themselves, a list with a mutex. And `ring`, the floor of handing over: blocks that are always there.
#include "pools.h"

#include "../workloads/ring.h"
#include "../workloads/table.h"
#include "../workloads/threads.h"
#include "lowtide/block_pool.h"

#include <mutex>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <vector>

namespace lowtide::bench {
namespace {

using block_ring = ring<64, 8>;
constexpr std::size_t several = 16;

// ---- the contenders

class pooled {
public:
    explicit pooled(std::size_t size) {
        lowtide_block_pool_options options{};
        options.size = sizeof options;
        options.block_size = size;
        pool_ = lowtide_block_pool_create(&options);
        if (pool_ == nullptr)
            give_up("no pool");
    }
    ~pooled() { lowtide_block_pool_destroy(pool_); }
    void* take() { return lowtide_block_pool_take(pool_, nullptr); }
    void give(void* block) { lowtide_block_pool_give(pool_, block); }

private:
    lowtide_block_pool* pool_;
};

class allocated {
public:
    explicit allocated(std::size_t size) : size_(size) {}
    void* take() { return std::malloc(size_); }
    void give(void* block) { std::free(block); }

private:
    std::size_t size_;
};

/// Keeps all that it ever had.
class listed {
public:
    explicit listed(std::size_t size) : size_(size) {}
    ~listed() {
        for (void* block : free_)
            std::free(block);
    }
    void* take() {
        {
            const std::lock_guard lock(mutex_);
            if (!free_.empty()) {
                void* const block = free_.back();
                free_.pop_back();
                return block;
            }
        }
        return std::malloc(size_);
    }
    void give(void* block) {
        const std::lock_guard lock(mutex_);
        free_.push_back(block);
    }

private:
    std::size_t size_;
    std::mutex mutex_;
    std::vector<void*> free_;
};

/// For one thread that takes.
class prepared {
public:
    explicit prepared(std::size_t size) : size_(size), blocks_(count * size) {}
    void* take() { return &blocks_[next_++ % count * size_]; }
    void give(void*) {}

private:
    static constexpr std::size_t count = 2 * block_ring::capacity;
    std::size_t size_;
    table<char> blocks_;
    std::size_t next_ = 0;
};

// ---- the workloads

void touch(void* block) {
    if (block == nullptr)
        give_up("no block");
    *static_cast<volatile char*>(block) = 1;
}

template <class Contender>
void one_thread(benchmark::State& state) {
    Contender blocks(static_cast<std::size_t>(state.range(0)));
    for ([[maybe_unused]] auto round : state) {
        void* const block = blocks.take();
        touch(block);
        blocks.give(block);
    }
    count_objects(state, 1);
}

/// Page faults of this process.
long faults_so_far() {
    rusage use;
    getrusage(RUSAGE_SELF, &use);
    return use.ru_minflt;
}

/// Many at a time.
template <class Contender>
void sixteen(benchmark::State& state) {
    Contender blocks(static_cast<std::size_t>(state.range(0)));
    void* taken[several];
    const auto take_and_give = [&] {
        for (void*& block : taken) {
            block = blocks.take();
            touch(block);
        }
        for (void* block : taken)
            blocks.give(block);
    };
    take_and_give();
    for ([[maybe_unused]] auto round : state)
        take_and_give();
    count_objects(state, several);
}

/// This thread takes, another gives.
template <class Contender>
void two_threads(benchmark::State& state) {
    Contender blocks(static_cast<std::size_t>(state.range(0)));
    table<block_ring> way(1);
    char last = 0; // behind it comes nothing
    std::thread giver([&] {
        for (;;) {
            void* block;
            for (patience patient; (block = way[0].try_pop()) == nullptr; patient.wait())
                way[0].tell_read();
            if (block == &last)
                return;
            blocks.give(block);
        }
    });
    const auto send = [&](void* block) {
        for (patience patient; !way[0].try_push(block); patient.wait())
            way[0].tell_written();
    };
    const auto hand_over = [&] {
        void* const block = blocks.take();
        touch(block);
        send(block);
    };
    // Until all that it takes are there: the first touch of 2 MiB takes a thousand times as long.
    long faults = -1;
    for (int round = 0; round < 20 && faults != faults_so_far(); ++round) {
        faults = faults_so_far();
        for (std::size_t i = 0; i < 200 * block_ring::capacity; ++i)
            hand_over();
    }
    for ([[maybe_unused]] auto round : state)
        hand_over();
    send(&last);
    way[0].tell_written();
    giver.join();
    count_objects(state, 1);
}

struct block_size {
    const char* name;
    long bytes;
};
constexpr block_size block_sizes[] = {{"64K", 64 << 10}, {"2M", 2 << 20}};

template <class Contender>
void add_two_threads(const std::string& name) {
    for (const block_size& size : block_sizes)
        benchmark::RegisterBenchmark(("block/" + std::string(size.name) + "/two-threads/" + name).c_str(),
                                     two_threads<Contender>)
            ->Arg(size.bytes)
            ->UseRealTime();
}

template <class Contender>
void add(const std::string& name) {
    for (const block_size& size : block_sizes) {
        const std::string prefix = "block/" + std::string(size.name);
        benchmark::RegisterBenchmark((prefix + "/one-thread/" + name).c_str(), one_thread<Contender>)
            ->Arg(size.bytes);
        benchmark::RegisterBenchmark((prefix + "/sixteen/" + name).c_str(), sixteen<Contender>)
            ->Arg(size.bytes);
    }
    add_two_threads<Contender>(name);
}

} // namespace

void add_blocks() {
    add<pooled>("pool");
    add<allocated>("malloc");
    add<listed>("list");
    add_two_threads<prepared>("ring");
}

} // namespace lowtide::bench
