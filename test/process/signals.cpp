// Signals that interrupt malloc at any instruction, with handlers that return, that allocate themselves, and
// that free what the interrupted code allocated. POSIX does not promise the latter; programs do it all the
// same, and it must neither deadlock nor corrupt.
#include "harness.h"
#include "storm.h"
#include "workload.h"

#include <cerrno>
#include <climits>
#include <cstring>
#include <malloc.h>

using namespace harness;
using namespace workload;

namespace {

constexpr uint64_t kSignals = 20'000;

std::atomic<uint64_t> handled{0};

void only_count(int) {
    handled.fetch_add(1);
}

// Blocks that travel between handlers and interrupted code, in both directions.
std::atomic<void*> handed_over[64];

void allocate_and_free(int) {
    const int saved = errno;
    const uint64_t turn = handled.fetch_add(1);
    release(acquire(16 + turn % 3000, turn));
    if (turn % 16 == 0) {
        release(acquire(100'000 + turn % 300'000, turn));
    }
    release(handed_over[turn % 64].exchange(acquire(16 + turn % 500, turn)));
    errno = saved;
}

void allocate_and_exchange(uint64_t signals) {
    churn mine(11, 1u << 20);
    generator random(12);
    while (handled < signals) {
        mine.run(20);
        release(handed_over[random.below(64)].exchange(acquire(random_size(random, 5000), random.next())));
    }
}

void* allocate_among_signals(void*) {
    storm::timer interruptions(SIGUSR1, allocate_and_free);
    allocate_and_exchange(kSignals);
    return nullptr;
}

// Through every tier, and everything at once given back.
void allocate_everywhere(int signal) {
    const uint64_t turn = handled;
    if (turn % 50 == 0) {
        release(acquire(3'000'000 + turn, turn));
        malloc_trim(0);
    }
    release(handed_over[turn % 64].exchange(acquire(16 + turn * 37 % 400'000, turn)));
    allocate_and_free(signal);
}

// Calls malloc, realloc and free directly: what else the tests do with memory need not be stepped through.
void allocate_and_exchange_in_few_steps(uint64_t steps) {
    constexpr size_t kSizes[] = {16, 200, 2000, 20'000, 150'000, 400'000, 1'500'000, 5'000'000};
    for (size_t i = 0; handled < steps; ++i) {
        const size_t size = kSizes[i % std::size(kSizes)];
        void* block = std::malloc(size);
        std::memcpy(block, "tide", 4);
        block = std::realloc(block, size * 2);
        REQUIRE(block != nullptr && std::memcmp(block, "tide", 4) == 0);
        std::free(block);
        // Only pointers change hands here: the handlers mark and check what is in them.
        std::free(handed_over[i % 64].exchange(nullptr));
    }
}

} // namespace

PROMISE(signals_may_interrupt_malloc) {
    storm::timer interruptions(SIGUSR1, only_count, 30'000);
    churn mine(10, 1u << 20);
    while (handled < kSignals) {
        mine.run(100);
    }
}

PROMISE(handlers_that_interrupted_malloc_may_allocate_and_free) {
    storm::timer interruptions(SIGUSR1, allocate_and_free, 50'000);
    allocate_and_exchange(kSignals);
}

PROMISE(a_handler_may_allocate_and_free_at_any_instruction_of_malloc) {
    storm::every_instruction interruptions(allocate_everywhere);
    allocate_and_exchange_in_few_steps(40'000);
}

PROMISE(handlers_may_nest_and_allocate) {
    storm::timer first(SIGUSR1, allocate_and_free, 70'000);
    storm::timer second(SIGUSR2, allocate_and_free, 90'000, SA_NODEFER);
    allocate_and_exchange(kSignals);
}

PROMISE(handlers_in_every_thread_may_allocate_and_free) {
    pthread_t threads[4];
    for (pthread_t& thread : threads) {
        thread = start_thread(allocate_among_signals, nullptr);
    }
    for (pthread_t thread : threads) {
        join_thread(thread);
    }
}

// free and malloc on an alternate stack, of the smallest size the system calls sensible.
PROMISE(a_handler_on_a_small_alternate_stack_may_allocate) {
    alignas(16) static char memory[16 * 1024];
    const stack_t alternate{memory, 0, sizeof memory};
    REQUIRE(sigaltstack(&alternate, nullptr) == 0);
    storm::timer interruptions(SIGUSR1, allocate_and_free, 50'000, SA_ONSTACK);
    allocate_and_exchange(kSignals);
}
