// What the process tests do with memory: blocks that carry their own check, a table in which they are
// replaced at random, and threads that do so and hand blocks on to each other. A block that another one
// overlaps, that lost its content or that was handed out twice is noticed when it is released, at the latest.
#pragma once

#include "harness.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <pthread.h>

namespace workload {

// A small random generator (xorshift64*), replayable by its seed.
class generator {
public:
    explicit generator(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 1) {}
    uint64_t next() {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545f4914f6cdd1du;
    }
    size_t below(size_t bound) { return static_cast<size_t>(next() % bound); }

private:
    uint64_t state_;
};

constexpr size_t kSmallestBlock = 16;

// A block whose content is derived from its header: the size and a seed. try_acquire gives nullptr where
// malloc does; acquire demands memory. A large block is marked at both ends and once a page.
void* try_acquire(size_t size, uint64_t seed);
void* acquire(size_t size, uint64_t seed);
// Writes the marks into memory that came from elsewhere (calloc, aligned_alloc, another library).
void mark(void* block, size_t size, uint64_t seed);
// Fails unless the block is as acquire left it.
void require_intact(const void* block);
// Checks the block and frees it; nullptr is fine.
void release(void* block);

// A size of the kind that programs ask for: mostly small, sometimes up to `largest`.
size_t random_size(generator& random, size_t largest);

// A table of blocks in which each step replaces one.
class churn {
public:
    explicit churn(uint64_t seed, size_t largest = 128 * 1024) : random_(seed), largest_(largest) {}
    churn(const churn&) = delete;
    churn& operator=(const churn&) = delete;
    ~churn() { clear(); }
    void step();
    void run(int steps);
    void clear(); // checks and frees all

private:
    static constexpr size_t kSlots = 256;
    generator random_;
    size_t largest_;
    void* slots_[kSlots] = {};
};

// Every size range (each slab kind, runs, blocks, a mapping of its own) through malloc, calloc, realloc and
// the aligned functions, with content checks. Leaves nothing behind.
void use_every_size();

// Threads that churn, and exchange blocks through a table that all see, until stopped. The destructor stops
// and joins them. `at_start`, if any, is called in each thread with its index, before it allocates.
class busy_threads {
public:
    explicit busy_threads(int count, void (*at_start)(int index) = nullptr);
    busy_threads(const busy_threads&) = delete;
    busy_threads& operator=(const busy_threads&) = delete;
    ~busy_threads();
    // Checks and frees what lies in the exchange table: in a forked child, the memory of the parent's
    // threads.
    void drain_exchange();
    // The sum of the steps of all threads so far: to wait for progress instead of time.
    uint64_t steps() const { return steps_.load(std::memory_order_relaxed); }
    void wait_for_steps(uint64_t more) const;

private:
    static constexpr int kMostThreads = 16;
    static constexpr size_t kExchange = 512;
    static void* body(void* self);
    int count_;
    void (*at_start_)(int);
    std::atomic<int> started_{0};
    pthread_t threads_[kMostThreads];
    std::atomic<bool> stop_{false};
    std::atomic<uint64_t> steps_{0};
    std::atomic<void*> exchange_[kExchange] = {};
};

// A joinable thread with a small stack (so that RLIMIT_AS leaves room); fails if there is none.
pthread_t start_thread(void* (*body)(void*), void* argument, size_t stack = 256 * 1024);
void join_thread(pthread_t thread);

} // namespace workload
