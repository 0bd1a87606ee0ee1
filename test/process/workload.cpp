// What the process tests do with memory; see workload.h.
#include "workload.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <sched.h>

namespace workload {
namespace {

struct header {
    uint64_t size;
    uint64_t seed;
};
static_assert(sizeof(header) == kSmallestBlock);

constexpr size_t kMarkStride = 4096;
constexpr size_t kFullyMarked = 1024;

unsigned char mark_at(uint64_t seed, size_t offset) {
    return static_cast<unsigned char>((seed + offset) * 0x9e3779b97f4a7c15u >> 56);
}

// Calls visit(offset) for each marked byte behind the header.
template <class Visit>
void for_each_mark(size_t size, Visit visit) {
    if (size <= kFullyMarked) {
        for (size_t at = sizeof(header); at < size; ++at) {
            visit(at);
        }
        return;
    }
    for (size_t at = sizeof(header); at < size; at += kMarkStride) {
        visit(at);
    }
    visit(size - 1);
}

void require_zero(const unsigned char* block, size_t size) {
    for_each_mark(size, [&](size_t at) { REQUIRE(block[at] == 0); });
    REQUIRE(block[0] == 0);
}

// The sizes at which a mechanism of the library changes, and some between.
constexpr size_t kSizes[] = {16,     24,       100,      128,      129,     500,      1024,   4000,
                             4096,   10000,    16384,    40000,    65536,   100000,   262144, 262145,
                             300000, 1u << 20, 2u << 20, 3u << 20, 5000000, 16u << 20};
constexpr size_t kOwnMapping = (64u << 20) + 5000;

void use_size(size_t size, uint64_t seed) {
    void* plain = acquire(size, seed);
    auto* zeroed = static_cast<unsigned char*>(std::calloc(1, size));
    REQUIRE(zeroed != nullptr);
    require_zero(zeroed, size);
    mark(zeroed, size, seed + 1);
    void* aligned = std::aligned_alloc(4096, (size + 4095) / 4096 * 4096);
    REQUIRE(aligned != nullptr && reinterpret_cast<uintptr_t>(aligned) % 4096 == 0);
    mark(aligned, size, seed + 2);
    require_intact(plain);
    release(zeroed);

    void* grown = std::realloc(plain, size + size / 2);
    REQUIRE(grown != nullptr);
    require_intact(grown);
    mark(grown, size + size / 2, seed + 3);
    require_intact(aligned);
    release(grown);
    void* shrunk = std::realloc(aligned, kSmallestBlock);
    REQUIRE(shrunk != nullptr);
    mark(shrunk, kSmallestBlock, seed + 4);
    release(shrunk);
}

} // namespace

void mark(void* block, size_t size, uint64_t seed) {
    const header h{size, seed};
    std::memcpy(block, &h, sizeof h);
    auto* bytes = static_cast<unsigned char*>(block);
    for_each_mark(size, [&](size_t at) { bytes[at] = mark_at(seed, at); });
}

void* try_acquire(size_t size, uint64_t seed) {
    size = std::max(size, kSmallestBlock);
    void* block = std::malloc(size);
    if (block != nullptr) {
        mark(block, size, seed);
    }
    return block;
}

void* acquire(size_t size, uint64_t seed) {
    void* block = try_acquire(size, seed);
    REQUIRE(block != nullptr);
    return block;
}

void require_intact(const void* block) {
    header h;
    std::memcpy(&h, block, sizeof h);
    REQUIRE(h.size >= kSmallestBlock && h.size < (uint64_t{1} << 40));
    const auto* bytes = static_cast<const unsigned char*>(block);
    for_each_mark(h.size, [&](size_t at) { REQUIRE(bytes[at] == mark_at(h.seed, at)); });
}

void release(void* block) {
    if (block == nullptr) {
        return;
    }
    require_intact(block);
    // So that a second release of the same block is noticed here, whatever the allocator does.
    std::memset(block, 0xff, sizeof(header));
    std::free(block);
}

size_t random_size(generator& random, size_t largest) {
    const size_t kind = random.below(100);
    const size_t bound = kind < 80 ? 1024 : kind < 97 ? 16 * 1024 : largest;
    return kSmallestBlock + random.below(std::min(bound, largest));
}

void churn::step() {
    void*& slot = slots_[random_.below(kSlots)];
    release(slot);
    slot = acquire(random_size(random_, largest_), random_.next());
}

void churn::run(int steps) {
    for (int i = 0; i < steps; ++i) {
        step();
    }
}

void churn::clear() {
    for (void*& slot : slots_) {
        release(slot);
        slot = nullptr;
    }
}

void use_every_size() {
    for (size_t size : kSizes) {
        use_size(size, size);
    }
    use_size(kOwnMapping, 1);
}

busy_threads::busy_threads(int count, void (*at_start)(int)) : count_(count), at_start_(at_start) {
    REQUIRE(count <= kMostThreads);
    for (int i = 0; i < count; ++i) {
        threads_[i] = start_thread(body, this);
    }
}

busy_threads::~busy_threads() {
    stop_ = true;
    for (int i = 0; i < count_; ++i) {
        join_thread(threads_[i]);
    }
    drain_exchange();
}

void* busy_threads::body(void* argument) {
    auto* self = static_cast<busy_threads*>(argument);
    const int index = self->started_.fetch_add(1);
    if (self->at_start_ != nullptr) {
        self->at_start_(index);
    }
    const uint64_t seed = static_cast<uint64_t>(index) + 1000;
    generator random(seed);
    churn own(seed);
    while (!self->stop_) {
        own.step();
        void* mine = acquire(random_size(random, 32 * 1024), random.next());
        release(self->exchange_[random.below(kExchange)].exchange(mine));
        self->steps_.fetch_add(1, std::memory_order_relaxed);
    }
    return nullptr;
}

void busy_threads::drain_exchange() {
    for (std::atomic<void*>& slot : exchange_) {
        release(slot.exchange(nullptr));
    }
}

void busy_threads::wait_for_steps(uint64_t more) const {
    const uint64_t goal = steps() + more;
    while (steps() < goal) {
        sched_yield();
    }
}

pthread_t start_thread(void* (*body)(void*), void* argument, size_t stack) {
    pthread_attr_t attributes;
    REQUIRE(pthread_attr_init(&attributes) == 0);
    REQUIRE(pthread_attr_setstacksize(&attributes, stack) == 0);
    pthread_t thread;
    REQUIRE(pthread_create(&thread, &attributes, body, argument) == 0);
    pthread_attr_destroy(&attributes);
    return thread;
}

void join_thread(pthread_t thread) {
    REQUIRE(pthread_join(thread, nullptr) == 0);
}

} // namespace workload
