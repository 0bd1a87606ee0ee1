// One party that allocates: a table of blocks, the shadow model, and a stream of random operations on it.
// After every operation the model says what must be true: alignment, contents over the whole usable size,
// zeros, no overlap.
//
// A fork may happen at any moment of any other thread. The model in the child is what the parent's was at
// that moment: an entry says `stable` only while its block is filled and nobody works on it, so the child can
// check every such block.
#pragma once

#include "random.h"
#include "registry.h"

#include <atomic>
#include <mutex>
#include <span>

namespace stress {

struct block {
    unsigned char* p = nullptr;
    size_t size = 0;      // asked for
    size_t usable = 0;    // what malloc_usable_size said: all of it is filled
    size_t alignment = 1; // promised
    uint64_t pattern = 0;
    bool aligned = false; // made by a function that takes an alignment
    bool cxx = false;     // made by operator new
};

struct entry {
    std::atomic<bool> stable{false};
    block b;
};

// Entries in memory of their own, so that nothing of the model depends on the allocator.
std::span<entry> make_table(size_t entries);

// Blocks on their way from one thread to another.
class exchange {
public:
    explicit exchange(size_t entries) : table_(make_table(entries)) {}

    // False when it is full, or empty.
    bool put(const block& b);
    bool take(block& b);
    [[nodiscard]] std::span<entry> table() const { return table_; }

private:
    std::mutex mutex_;
    std::span<entry> table_;
    size_t count_ = 0;
};

struct limits {
    size_t largest = size_t{80} << 20; // block
    size_t bytes = size_t{128} << 20;  // in all blocks of a worker
    bool may_fail = false;             // memory may run out
    bool trims = true;
};

class worker {
public:
    // Without a registry (in a signal handler, which must not wait for its lock) overlaps show in the
    // contents only.
    worker(uint64_t seed, std::span<entry> table, const limits& most, registry* live, exchange* others)
        : random_(seed), table_(table), most_(most), live_(live), others_(others) {}

    // One random operation.
    void step();
    // Checks and frees everything.
    void drain();
    // Frees every other block or so.
    void drain_half();
    // Checks all contents.
    void check_all();

    // Takes over a block that another worker has left behind.
    void adopt(const block& b);

    [[nodiscard]] uint64_t failures() const { return failures_; }
    // A hash of everything that was asked for and everything that came of it, but for addresses.
    [[nodiscard]] uint64_t digest() const { return digest_; }

private:
    void allocate(entry& e);
    void release(entry& e);
    void reallocate(entry& e);
    void burst();
    void note_failure(size_t alignment, size_t size);
    void settle(entry& e, const block& b);
    void leave(entry& e);
    void learn(uint64_t value) { digest_ = mixed(digest_ ^ value); }

    random_numbers random_;
    std::span<entry> table_;
    limits most_;
    registry* live_;
    exchange* others_;
    size_t bytes_ = 0;
    uint64_t failures_ = 0;
    uint64_t digest_ = 0;
};

// Fails the test when the block isn't what the model says.
void check_block(const block& b);

} // namespace stress
