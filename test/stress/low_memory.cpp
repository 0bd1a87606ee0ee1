// Random operations in a process whose address space is limited, so that many of them fail. What fails says
// ENOMEM and loses nothing; and what has been freed can be had again, in blocks of any other size, however
// often memory ran out.
//
//   low_memory [--seed=N] [--steps=N] [--threads=N] [--share=PERCENT]
//
// --share: how much of the limit must be usable again at the end, in blocks of each size; 0 leaves that part
// out.
#include "face.h"
#include "report.h"
#include "worker.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace stress;

namespace {

constexpr size_t mebibyte = size_t{1} << 20;
constexpr size_t allowance = 96 * mebibyte; // address space, beyond what the process has at the start
constexpr unsigned max_threads = 8;
constexpr unsigned times_out_of_memory = 1200; // more than there can be reservations (page_tier::max_regions)

size_t address_space() {
    char text[128] = {};
    const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
        fail("no /proc/self/statm");
    close(fd);
    return strtoull(text, nullptr, 10) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

void limit_address_space() {
    const rlim_t most = address_space() + allowance;
    const rlimit limit{most, most};
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        fail("RLIMIT_AS can't be set");
}

struct chained {
    chained* next;
};

// Allocates blocks of `size` bytes until there are no more, frees them, and says how many bytes they had room
// for.
size_t capacity(size_t size) {
    chained* blocks = nullptr;
    size_t bytes = 0;
    errno = 0;
    while (auto* p = static_cast<chained*>(face::allocations()[0].call(16, size))) {
        p->next = blocks;
        blocks = p;
        bytes += malloc_usable_size(p);
    }
    if (errno != ENOMEM)
        fail("null with errno %d", errno);
    while (blocks != nullptr) {
        chained* next = blocks->next;
        free(blocks);
        blocks = next;
    }
    return bytes;
}

// `share`: of the allowance, in percent.
void require_capacity(const char* when, size_t share) {
    // Small after large and large after small: each must be able to use what the other has left.
    for (const size_t size :
         {size_t{64}, 8 * mebibyte, size_t{3000}, 3 * mebibyte, size_t{100000}, mebibyte, size_t{64}}) {
        doing.operation = when;
        const size_t bytes = capacity(size);
        say("%s: %zu KiB in blocks of %zu bytes\n", when, bytes / 1024, size);
        if (bytes < allowance / 100 * share)
            fail("%zu KiB in blocks of %zu bytes, of %zu KiB", bytes / 1024, size, allowance / 1024);
    }
}

// Blocks of all sizes and a mapping that takes nearly everything, in turns: the address space goes back and
// forth.
void run_out_often() {
    for (unsigned i = 0; i < times_out_of_memory; ++i) {
        doing.step = i;
        doing.operation = "run out";
        capacity(i % 2 == 0 ? 8 * mebibyte : 900000);
        void* most = face::allocations()[0].call(16, allowance / 10 * 8);
        if (most == nullptr)
            fail("no mapping of %zu KiB after everything was freed", allowance / 10 * 8 / 1024);
        capacity(mebibyte);
        free(most);
    }
}

struct party {
    uint64_t seed = 0;
    uint64_t steps = 0;
    unsigned thread = 0;
    std::span<entry> table;
    registry* live = nullptr;
    uint64_t failures = 0;
};

pthread_barrier_t limits_are_set;

void* run(void* of) {
    party& p = *static_cast<party*>(of);
    pthread_barrier_wait(&limits_are_set);
    doing = {p.seed, p.thread, 0, "start"};
    worker own(mixed(p.seed) + p.thread, p.table, {16 * mebibyte, 1024 * mebibyte, true, true}, p.live,
               nullptr);
    for (uint64_t i = 1; i <= p.steps; ++i) {
        own.step();
        if (i % 5000 == 0) {
            own.check_all();
            own.drain_half();
        }
    }
    own.check_all();
    own.drain();
    p.failures = own.failures();
    return nullptr;
}

} // namespace

int main(int argc, char** argv) {
    uint64_t seed = 1;
    uint64_t steps = 20000;
    unsigned threads = 1;
    size_t share = 80;
    for (int i = 1; i < argc; ++i) {
        if (sscanf(argv[i], "--seed=%lu", &seed) + sscanf(argv[i], "--steps=%lu", &steps) +
                sscanf(argv[i], "--threads=%u", &threads) + sscanf(argv[i], "--share=%zu", &share) <
            1)
            fail("unknown argument %s", argv[i]);
    }
    if (threads == 0 || threads > max_threads)
        fail("1 to %u threads", max_threads);
    remember_command(argc, argv, seed);
    say("low memory: seed %lu, %lu steps, %u threads\n", seed, steps, threads);

    static registry live;
    static party parties[max_threads];
    pthread_t ids[max_threads] = {};
    for (unsigned i = 0; i < threads; ++i)
        parties[i] = {seed, steps, i, make_table(6000), &live, 0};
    // Before the limit: a thread's stack is nothing that the allocator could make room for.
    pthread_barrier_init(&limits_are_set, nullptr, threads);
    for (unsigned i = 1; i < threads; ++i) {
        if (pthread_create(&ids[i], nullptr, run, &parties[i]) != 0)
            fail("no thread");
    }
    limit_address_space();

    require_capacity("at first", 80);
    run(&parties[0]);
    for (unsigned i = 1; i < threads; ++i)
        pthread_join(ids[i], nullptr);
    doing = {seed, 0, steps, "end"};
    uint64_t failures = 0;
    for (const party& p : parties)
        failures += p.failures;
    if (failures == 0)
        fail("memory never ran out");
    if (share != 0) {
        require_capacity("after the operations", share);
        run_out_often();
        require_capacity("after running out often", share);
    }
    say("passed: %lu operations failed\n", failures);
}
