// Threads: very many that live shortly, memory that outlives its thread and memory that is freed by threads
// that die at once, and stacks of the smallest size there is.
#include "harness.h"
#include "workload.h"

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <malloc.h>
#include <new>

using namespace harness;
using namespace workload;

namespace {

constexpr int kThreads = 10'000;
constexpr int kWarm = 2'000;
// What 8,000 threads may add in all: 512 bytes each.
constexpr size_t kMayGrow = 4u << 20;

void run_one_thread(void* (*body)(void*), void* argument = nullptr) {
    join_thread(start_thread(body, argument));
}

// Runs the body in 10,000 threads, one after the other, and demands that the later ones cost no memory.
void require_no_growth(void* (*body)(void*)) {
    size_t warm = 0;
    for (int i = 0; i < kThreads; ++i) {
        run_one_thread(body, reinterpret_cast<void*>(static_cast<uintptr_t>(i)));
        if (i == kWarm) {
            warm = resident_bytes_in_use();
        }
    }
    REQUIRE(resident_bytes_in_use() < warm + kMayGrow);
}

// A dozen sizes, so that the caches of all of them are as full as they get before the first count.
size_t some_size(generator& random) {
    constexpr size_t kSizes[] = {16, 24, 40, 64, 100, 150, 300, 600, 1000, 3000, 9000, 20'000};
    return kSizes[random.below(std::size(kSizes))];
}

constexpr int kLargeBlocks = 50'000;

void* shrink_large_blocks(void*) {
    for (int i = 0; i < kLargeBlocks; ++i) {
        void* block = std::realloc(std::malloc(160u << 20), 70u << 20);
        REQUIRE(block != nullptr && malloc_usable_size(block) >= (70u << 20));
        std::free(block);
    }
    return nullptr;
}

void* allocate_and_die(void* seed) {
    generator random(reinterpret_cast<uintptr_t>(seed));
    void* blocks[50] = {};
    for (int i = 0; i < 200; ++i) {
        void*& block = blocks[random.below(std::size(blocks))];
        release(block);
        block = acquire(some_size(random), random.next());
    }
    for (void* block : blocks) {
        release(block);
    }
    return nullptr;
}

// What one thread leaves behind, for the next one to free.
constexpr size_t kLeft = 100;
void* left_behind[kLeft];

void* free_the_predecessors_and_die(void* seed) {
    generator random(reinterpret_cast<uintptr_t>(seed));
    for (void*& block : left_behind) {
        release(block);
        block = acquire(some_size(random), random.next());
    }
    return nullptr;
}

void* only_free(void*) {
    for (void*& block : left_behind) {
        release(block);
        block = nullptr;
    }
    return nullptr;
}

void* only_allocate(void* seed) {
    generator random(reinterpret_cast<uintptr_t>(seed));
    for (void*& block : left_behind) {
        block = acquire(some_size(random), random.next());
    }
    return nullptr;
}

// Every function of the surface, with little of the stack for itself.
void* call_every_function(void*) {
    constexpr size_t kSizes[] = {1, 100, 5000, 100'000, 400'000, 3'000'000, 70'000'000};
    for (int round = 0; round < 20; ++round) {
        for (size_t size : kSizes) {
            void* blocks[8] = {std::malloc(size),
                               std::calloc(3, size),
                               memalign(256, size),
                               std::aligned_alloc(64, size),
                               valloc(size),
                               pvalloc(size),
                               reallocarray(nullptr, 2, size),
                               nullptr};
            REQUIRE(posix_memalign(&blocks[7], 8192, size) == 0);
            for (void*& block : blocks) {
                REQUIRE(block != nullptr && malloc_usable_size(block) >= size);
                block = std::realloc(block, size * 2);
                REQUIRE(block != nullptr);
            }
            for (void* block : blocks) {
                std::free(block);
            }
            delete[] new char[size];
            operator delete (operator new (size, std::align_val_t{128}), std::align_val_t{128});
        }
        malloc_trim(0);
    }
    static_cast<void>(mallinfo2());
    // As wide as it gets: the values are not looked at.
    REQUIRE(std::malloc(PTRDIFF_MAX) == nullptr && errno == ENOMEM);
    return nullptr;
}

// These print, and bring stdio's own use of the stack.
void* print_every_statistic(void*) {
    std::FILE* sink = std::fopen("/dev/null", "w");
    REQUIRE(sink != nullptr);
    REQUIRE(malloc_info(0, sink) == 0);
    std::fclose(sink);
    malloc_stats();
    return nullptr;
}

pthread_t start_with_smallest_stack(void* (*body)(void*)) {
    // PTHREAD_STACK_MIN is 16 KiB on x86-64; a processor with large registers may need a little more.
    const long smallest = sysconf(_SC_THREAD_STACK_MIN);
    return start_thread(body, nullptr, smallest > 16 * 1024 ? static_cast<size_t>(smallest) : 16 * 1024);
}

} // namespace

// Where one block's pages have just left, another's may come: neither thread may lose the allocator's
// knowledge of it.
PROMISE(large_mappings_shrink_while_others_come_into_their_place) {
    const pthread_t shrinking = start_thread(shrink_large_blocks, nullptr);
    for (int i = 0; i < kLargeBlocks; ++i) {
        void* block = std::malloc(80u << 20);
        REQUIRE(block != nullptr && malloc_usable_size(block) >= (80u << 20));
        std::free(block);
    }
    join_thread(shrinking);
}

PROMISE(ten_thousand_short_lived_threads_leave_nothing_behind) {
    require_no_growth(allocate_and_die);
}

PROMISE(memory_freed_by_threads_that_die_at_once_is_not_lost) {
    require_no_growth(free_the_predecessors_and_die);
    only_free(nullptr);
}

PROMISE(memory_that_only_other_threads_free_is_not_lost) {
    require_no_growth([](void* seed) {
        const bool allocates = reinterpret_cast<uintptr_t>(seed) % 2 == 0;
        return allocates ? only_allocate(seed) : only_free(seed);
    });
    only_free(nullptr);
}

PROMISE(memory_allocated_by_main_and_freed_by_dying_threads_is_not_lost) {
    size_t warm = 0;
    for (int i = 0; i < kThreads / 2; ++i) {
        only_allocate(reinterpret_cast<void*>(static_cast<uintptr_t>(i)));
        run_one_thread(only_free);
        if (i == kWarm) {
            warm = resident_bytes_in_use();
        }
    }
    REQUIRE(resident_bytes_in_use() < warm + kMayGrow);
}

PROMISE(every_function_works_on_the_smallest_stack) {
    pthread_t threads[3];
    for (pthread_t& thread : threads) {
        thread = start_with_smallest_stack(call_every_function);
    }
    for (pthread_t thread : threads) {
        join_thread(thread);
    }
}

PROMISE(statistics_can_be_printed_from_the_smallest_stack) {
    join_thread(start_with_smallest_stack(print_every_statistic));
}
