// Little memory: limits on address space and data, and memory that runs out. Exhaustion gives nullptr and
// ENOMEM and the program goes on; what it frees serves any other size, up to the limit.
#include "harness.h"
#include "little_memory.h"
#include "workload.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <malloc.h>
#include <new>
#include <sys/mman.h>
#include <sys/resource.h>
#include <vector>

using namespace harness;
using namespace little_memory;
using namespace workload;

namespace {

constexpr size_t MiB = 1u << 20;
constexpr size_t kLimit = 512 * MiB;
constexpr size_t kSmallLimit = 64 * MiB;

void limit(int resource, size_t bytes) {
    const rlimit both{bytes, bytes};
    REQUIRE(setrlimit(static_cast<__rlimit_resource>(resource), &both) == 0);
}

// Runs the part under RLIMIT_AS and RLIMIT_DATA in turn. The limit is there before the program starts.
void run_under_limits(const char* part) {
    require_success(run_part(part, {.prepare = [] { limit(RLIMIT_AS, kLimit); }}));
    require_success(run_part(part, {.prepare = [] { limit(RLIMIT_DATA, kLimit); }}));
}

constexpr size_t percent(size_t part, size_t of) {
    return of / 100 * part;
}

// Fills memory with one size and frees it; the bytes that there were room for.
size_t fill_and_free(size_t size, order freed) {
    block_list blocks;
    const size_t bytes = blocks.fill(size);
    blocks.free_all(freed);
    return bytes;
}

// The same with no more than `bytes`.
void fill_and_free_bytes(size_t size, size_t bytes) {
    std::vector<void*> blocks;
    for (size_t total = 0; total < bytes; total += size)
        blocks.push_back(acquire(size, total));
    for (void* block : blocks)
        release(block);
}

struct share {
    block_list blocks;
    size_t bytes = 0;
};

void* fill_a_share(void* argument) {
    auto* mine = static_cast<share*>(argument);
    mine->bytes = mine->blocks.fill(64);
    return nullptr;
}

} // namespace

PART(large_after_small) {
    block_list small;
    const size_t bytes = small.fill(64);
    REQUIRE(bytes >= percent(60, kLimit));
    REQUIRE(errno == ENOMEM);
    small.free_all(order::oldest_first);
    void* large = acquire(percent(70, bytes), 1);
    release(large);
    REQUIRE(fill_and_free(64, order::newest_first) >= percent(90, bytes));
    release(acquire(percent(70, bytes), 2));
}

PROMISE(memory_of_small_blocks_serves_a_large_one_and_the_reverse) {
    run_under_limits("large_after_small");
}

PART(swaps_between_sizes) {
    constexpr size_t kSizes[] = {64,     1 * MiB, 48 * MiB, 100 * MiB, 1000,      48 * MiB,
                                 20'000, 1 * MiB, 200'000,  48 * MiB,  100 * MiB, 64};
    for (order freed : {order::oldest_first, order::newest_first, order::every_other_first}) {
        for (size_t size : kSizes) {
            REQUIRE(fill_and_free(size, freed) >= percent(70, kLimit));
        }
    }
}

PROMISE(memory_freed_in_any_order_serves_every_other_size_up_to_the_limit) {
    run_under_limits("swaps_between_sizes");
}

PART(large_after_small_of_threads) {
    constexpr int kThreads = 4;
    share shares[kThreads];
    pthread_t threads[kThreads];
    size_t bytes = 0;
    for (int i = 0; i < kThreads; ++i) {
        threads[i] = start_thread(fill_a_share, &shares[i]);
    }
    for (int i = 0; i < kThreads; ++i) {
        join_thread(threads[i]);
        bytes += shares[i].bytes;
    }
    REQUIRE(bytes >= percent(60, kLimit));
    for (share& each : shares) {
        each.blocks.free_all(order::oldest_first);
    }
    release(acquire(percent(70, bytes), 1));
}

PROMISE(memory_that_dead_threads_allocated_serves_a_large_block) {
    run_under_limits("large_after_small_of_threads");
}

PART(goes_on_after_exhaustion) {
    void* kept = acquire(100'000, 1);
    block_list blocks;
    blocks.fill(1000);
    blocks.fill(64); // the remaining corners
    REQUIRE(std::malloc(50 * MiB) == nullptr && errno == ENOMEM);
    REQUIRE(std::calloc(50, MiB) == nullptr && errno == ENOMEM);
    REQUIRE(std::aligned_alloc(4096, 50 * MiB) == nullptr && errno == ENOMEM);
    void* result = kept;
    REQUIRE(posix_memalign(&result, 4096, 50 * MiB) == ENOMEM && result == kept);
    REQUIRE(std::realloc(kept, 50 * MiB) == nullptr && errno == ENOMEM);
    require_intact(kept);
    bool thrown = false;
    try {
        operator delete(operator new(50 * MiB));
    } catch (const std::bad_alloc&) {
        thrown = true;
    }
    REQUIRE(thrown);
    REQUIRE(operator new(50 * MiB, std::nothrow) == nullptr);
    blocks.free_all(order::oldest_first);
    release(kept);
    use_every_size();
    churn table(1, 2 * MiB);
    table.run(20'000);
}

PROMISE(exhausted_memory_gives_null_and_enomem_and_the_program_goes_on_after_frees) {
    run_under_limits("goes_on_after_exhaustion");
}

namespace {

// Address space that is not malloc's: a stack, a file.
void require_room_for_others(size_t bytes) {
    void* room = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(room != MAP_FAILED);
    REQUIRE(munmap(room, bytes) == 0);
}

} // namespace

PART(others_need_room_after_exhaustion) {
    for (size_t size : {size_t{64}, size_t{5000}, size_t{300'000}, 3 * MiB, 60 * MiB, 100 * MiB}) {
        REQUIRE(fill_and_free(size, order::oldest_first) >= percent(60, kLimit));
        require_room_for_others(percent(60, kLimit));
    }
}

PROMISE(memory_freed_after_exhaustion_leaves_its_address_space_to_others) {
    require_success(
        run_part("others_need_room_after_exhaustion", {.prepare = [] { limit(RLIMIT_AS, kLimit); }}));
}

PART(others_need_room_after_a_trim) {
    fill_and_free_bytes(1 * MiB, percent(70, kLimit));
    malloc_trim(0);
    require_room_for_others(percent(70, kLimit));
    fill_and_free_bytes(1 * MiB, percent(70, kLimit));
}

PROMISE(malloc_trim_leaves_limited_address_space_to_others) {
    require_success(run_part("others_need_room_after_a_trim", {.prepare = [] { limit(RLIMIT_AS, kLimit); }}));
}

PART(others_need_room_beside_the_heap) {
    std::vector<void*> blocks;
    for (size_t total = 0; total < percent(45, kLimit); total += 50'000)
        blocks.push_back(acquire(50'000, total));
    require_room_for_others(percent(25, kLimit));
    for (void* block : blocks)
        release(block);
}

PROMISE(reservations_leave_limited_address_space_to_others) {
    require_success(
        run_part("others_need_room_beside_the_heap", {.prepare = [] { limit(RLIMIT_AS, kLimit); }}));
}

namespace {

// Allocates until there is nothing left, frees, and so on, while others do the same.
void* exhaust_repeatedly(void*) {
    for (int round = 0; round < 5; ++round) {
        for (size_t size : {5000, 64, 300'000, 3'000'000}) {
            block_list blocks;
            blocks.fill(size);
            blocks.free_all(order::every_other_first);
        }
    }
    return nullptr;
}

} // namespace

PART(threads_exhaust_memory) {
    pthread_t threads[4];
    for (pthread_t& thread : threads) {
        thread = start_thread(exhaust_repeatedly, nullptr);
    }
    for (pthread_t thread : threads) {
        join_thread(thread);
    }
    REQUIRE(fill_and_free(100 * MiB, order::oldest_first) >= percent(70, kLimit));
}

PROMISE(threads_may_exhaust_memory_together) {
    run_under_limits("threads_exhaust_memory");
}

// A limit that comes when the library has long made its reservations.
PROMISE(a_limit_set_while_running_is_respected) {
    churn mine(1);
    mine.run(10'000);
    pid_t child = fork_guarded();
    if (child == 0) {
        limit(RLIMIT_AS, 300 * MiB);
        block_list blocks;
        REQUIRE(blocks.fill(100) < 1024 * MiB);
        REQUIRE(errno == ENOMEM);
        blocks.free_all(order::oldest_first);
        mine.run(10'000);
        _exit(0);
    }
    require_success(child);
}

PART(lives_in_64_mebibytes) {
    churn table(1, 300'000);
    table.run(20'000);
    table.clear();
    REQUIRE(fill_and_free(64, order::oldest_first) >= kSmallLimit / 2);
    REQUIRE(fill_and_free(1 * MiB, order::oldest_first) >= kSmallLimit / 2);
    release(acquire(kSmallLimit / 2, 1));
    busy_threads threads(4);
    threads.wait_for_steps(10'000);
    pid_t child = fork_guarded();
    if (child == 0) {
        table.run(20'000);
        _exit(0);
    }
    require_success(child);
}

PROMISE(reservations_shrink_under_an_address_space_of_64_mebibytes) {
    require_success(run_part("lives_in_64_mebibytes", {.prepare = [] { limit(RLIMIT_AS, kSmallLimit); }}));
}

// The threads are gone; what lies in the caches of the processors they ran on must not be missing.
PART(fills_64_mebibytes_after_threads) {
    {
        churn table(1, 300'000);
        table.run(20'000);
        busy_threads threads(4);
        threads.wait_for_steps(10'000);
    }
    REQUIRE(fill_and_free(64, order::oldest_first) >= kSmallLimit / 2);
    REQUIRE(fill_and_free(1 * MiB, order::oldest_first) >= kSmallLimit / 2);
    release(acquire(kSmallLimit / 2, 1));
}

PROMISE(what_lies_in_caches_serves_when_memory_runs_out) {
    for (int i = 0; i < 20; ++i) {
        require_success(
            run_part("fills_64_mebibytes_after_threads", {.prepare = [] { limit(RLIMIT_AS, kSmallLimit); }}));
    }
}

// Neither what is free nor what the limit leaves would be enough.
PART(makes_a_block_of_what_is_free_and_what_is_left) {
    fill_and_free_bytes(64, 8 * MiB);
    limit(RLIMIT_AS, mapped_bytes() + 16 * MiB);
    release(acquire(24 * MiB, 1));
}

PROMISE(free_memory_and_what_the_limit_leaves_together_serve_a_large_block) {
    require_success(run_part("makes_a_block_of_what_is_free_and_what_is_left"));
}

PROMISE(shell_programs_run_under_an_address_space_of_64_mebibytes) {
    outcome of = run({.arguments = {"sh", "-c", "ulimit -v 65536; ls / >/dev/null && echo $(seq 1 3)"}});
    require_success(of);
    REQUIRE(of.out == "1 2 3\n" && of.err.empty());
}

// Where the machine counts every byte it promises, a start must not promise what it does not need.
PROMISE(strict_overcommit_leaves_the_limit_usable) {
    char mode = '0';
    int fd = open("/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, &mode, 1) != 1 || mode != '2') {
        skip("vm.overcommit_memory is not 2; RLIMIT_DATA stands in for it in the other tests");
    }
    close(fd);
    use_every_size();
    busy_threads threads(4);
    threads.wait_for_steps(10'000);
}
