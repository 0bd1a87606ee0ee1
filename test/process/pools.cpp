// Regions and block pools in their steady state ask nothing of the system, and what a pool doesn't need any
// more goes back in its time. Steady state is what a program that has run for a while does: a filter then
// ends the process at the first system call.
#include "filter.h"
#include "harness.h"
#include "workload.h"

#include "lowtide/block_pool.h"
#include "lowtide/region.h"

#include <atomic>
#include <climits>
#include <cstring>
#include <iterator>
#include <sys/syscall.h>

using namespace harness;
using namespace workload;

namespace {

constexpr size_t kMebibyte = 1u << 20;
constexpr size_t kBlock = 2 * kMebibyte;
constexpr int kWarmUp = 10'000;
constexpr int kRounds = 1'000'000;

// The end of a test that has a filter.
const std::vector<long> kLeaving{SYS_exit_group, SYS_write};

[[noreturn]] void leave() {
    _exit(0);
}

struct pool_shape {
    size_t low_watermark = 0;
    unsigned return_ms = 0;
    unsigned prepopulate = 0;
};

lowtide_block_pool* make_pool(pool_shape shape) {
    lowtide_block_pool_options options{};
    options.size = sizeof options;
    options.block_size = kBlock;
    options.low_watermark = shape.low_watermark;
    options.return_ms = shape.return_ms;
    options.prepopulate = shape.prepopulate;
    lowtide_block_pool* pool = lowtide_block_pool_create(&options);
    REQUIRE(pool != nullptr);
    return pool;
}

char* take(lowtide_block_pool* pool) {
    auto* block = static_cast<char*>(lowtide_block_pool_take(pool, "test"));
    REQUIRE(block != nullptr);
    *static_cast<volatile char*>(block) = 1;
    return block;
}

// ---- system calls

void take_and_give(lowtide_block_pool* pool, int rounds) {
    for (int i = 0; i < rounds; ++i) {
        lowtide_block_pool_give(pool, take(pool));
    }
}

// So many at a time that the processor's cache can't hold them.
void take_and_give_many(lowtide_block_pool* pool, int rounds) {
    char* taken[40];
    for (int i = 0; i < rounds; ++i) {
        for (char*& block : taken) {
            block = take(pool);
        }
        for (char* block : taken) {
            lowtide_block_pool_give(pool, block);
        }
    }
}

// From one thread to another, over a few slots. Each waits in place: the test is about the pool's calls.
class handing_over {
public:
    static constexpr size_t kSlots = 16;

    explicit handing_over(lowtide_block_pool* pool) : pool_(pool) {}

    void take_all(int rounds) {
        for (int i = 0; i < rounds; ++i) {
            std::atomic<char*>& slot = slots_[static_cast<size_t>(i) % kSlots];
            char* block = take(pool_);
            while (slot.load(std::memory_order_acquire) != nullptr) {
            }
            slot.store(block, std::memory_order_release);
        }
    }
    void give_all(int rounds) {
        for (int i = 0; i < rounds; ++i) {
            std::atomic<char*>& slot = slots_[static_cast<size_t>(i) % kSlots];
            char* block = nullptr;
            while ((block = slot.load(std::memory_order_acquire)) == nullptr) {
            }
            slot.store(nullptr, std::memory_order_release);
            lowtide_block_pool_give(pool_, block);
        }
    }

private:
    lowtide_block_pool* pool_;
    std::atomic<char*> slots_[kSlots]{};
};

// What a slow call may do: wait for the lock, and, where no background thread does it, look now and then for
// caches that nobody uses any more.
const std::vector<long> kWaiting{SYS_exit_group, SYS_write, SYS_futex, SYS_sched_yield, SYS_membarrier};
constexpr int kHandedOver = 100'000;

void* give_under_filter(void* argument) {
    auto& way = *static_cast<handing_over*>(argument);
    way.give_all(kWarmUp);
    filter::allow_only(kWaiting);
    way.give_all(kHandedOver);
    leave();
}

// A request: a child of the connection's region with a few objects, some of them beyond its first chunk.
void serve(lowtide_region* connection, int rounds) {
    for (int i = 0; i < rounds; ++i) {
        lowtide_region* request = lowtide_region_create(connection, nullptr);
        REQUIRE(request != nullptr);
        for (size_t size = 16; size <= 4096; size *= 2) {
            auto* object = static_cast<char*>(lowtide_region_alloc(request, size));
            REQUIRE(object != nullptr);
            *static_cast<volatile char*>(object) = 1;
        }
        lowtide_region_destroy(request);
    }
}

void fill_and_reset(lowtide_region* region, int rounds) {
    for (int i = 0; i < rounds; ++i) {
        for (size_t n = 0; n < 1000; ++n) {
            auto* object = static_cast<char*>(lowtide_region_alloc(region, 16 + n % 500));
            REQUIRE(object != nullptr);
            *static_cast<volatile char*>(object) = 1;
        }
        lowtide_region_reset(region);
    }
}

// ---- memory

constexpr size_t kMany = 32;
constexpr size_t kNoise = 4 * kMebibyte;

// Takes blocks, writes them throughout, and gives them back.
void use_many(lowtide_block_pool* pool) {
    char* taken[kMany];
    for (char*& block : taken) {
        block = take(pool);
        std::memset(block, 1, kBlock);
    }
    REQUIRE(resident_bytes() >= kMany * kBlock);
    for (char* block : taken) {
        lowtide_block_pool_give(pool, block);
    }
}

void wait_a_little() {
    usleep(20'000);
}

void* stand_by(void* never) {
    static_cast<std::atomic<bool>*>(never)->wait(false);
    return nullptr;
}

// Of a process with threads: nobody calls the pool.
void sleep_until_resident(size_t bytes) {
    std::atomic<bool> never{false};
    start_thread(stand_by, &never);
    while (resident_bytes() > bytes) {
        wait_a_little();
    }
    leave(); // with the thread
}

} // namespace

PROMISE(a_thread_that_takes_and_gives_blocks_makes_no_system_call) {
    lowtide_block_pool* pool = make_pool({});
    take_and_give(pool, kWarmUp);
    filter::allow_only(kLeaving);
    take_and_give(pool, kRounds);
    leave();
}

PROMISE(a_thread_that_holds_many_blocks_makes_no_system_call) {
    lowtide_block_pool* pool = make_pool({.return_ms = UINT_MAX});
    take_and_give_many(pool, kWarmUp / 40);
    filter::allow_only(kLeaving);
    take_and_give_many(pool, kRounds / 40);
    leave();
}

PART(two_threads) {
    // As many as can be on the way, and in two caches: after that none is made any more.
    lowtide_block_pool* pool = make_pool({.low_watermark = 64, .return_ms = UINT_MAX, .prepopulate = 64});
    handing_over way(pool);
    start_thread(give_under_filter, &way);
    way.take_all(kWarmUp);
    filter::allow_only(kWaiting);
    way.take_all(kHandedOver);
    for (;;) { // the other thread ends the process
    }
}

PROMISE(blocks_that_another_thread_gives_ask_the_system_for_no_memory) {
    require_success(run_part("two_threads", {.environment = {"LOWTIDE_CONF=background:never"}}));
}

PROMISE(a_server_of_regions_makes_no_system_call) {
    lowtide_region* connection = lowtide_region_create(nullptr, nullptr);
    REQUIRE(connection != nullptr);
    serve(connection, kWarmUp);
    filter::allow_only(kLeaving);
    serve(connection, kRounds);
    leave();
}

PROMISE(a_region_with_warm_chunks_makes_no_system_call) {
    lowtide_region_options options{};
    options.size = sizeof options;
    options.warm_chunks = 100;
    lowtide_region* region = lowtide_region_create(nullptr, &options);
    REQUIRE(region != nullptr);
    fill_and_reset(region, kWarmUp / 1000);
    filter::allow_only(kLeaving);
    fill_and_reset(region, kRounds / 1000);
    leave();
}

PROMISE(free_blocks_go_back_while_the_program_sleeps) {
    lowtide_block_pool* pool = make_pool({.return_ms = 50});
    take_and_give(pool, 1);
    const size_t before = resident_bytes();
    use_many(pool);
    sleep_until_resident(before + kNoise);
}

PROMISE(blocks_below_the_low_watermark_stay) {
    constexpr size_t kKept = 8;
    lowtide_block_pool* pool = make_pool({.low_watermark = kKept, .return_ms = 50});
    take_and_give(pool, 1);
    const size_t before = resident_bytes();
    use_many(pool);
    std::atomic<bool> never{false};
    start_thread(stand_by, &never);
    while (resident_bytes() > before + kKept * kBlock + kNoise) {
        wait_a_little();
    }
    for (int i = 0; i < 20; ++i) { // several times as long as it took
        wait_a_little();
    }
    REQUIRE(resident_bytes() >= before + (kKept - 1) * kBlock - kNoise);
    leave();
}

PART(with_one_thread) {
    lowtide_block_pool* pool = make_pool({.return_ms = 50});
    take_and_give(pool, 1);
    const size_t before = resident_bytes();
    use_many(pool);
    char* kept[kMany / 2];
    // The calls find the cache empty and full; what they use themselves stays.
    while (resident_bytes() > before + std::size(kept) * kBlock + kNoise) {
        for (char*& block : kept) {
            block = take(pool);
        }
        for (char* block : kept) {
            lowtide_block_pool_give(pool, block);
        }
        wait_a_little();
    }
}

PROMISE(free_blocks_go_back_at_calls_of_a_program_without_the_background_thread) {
    require_success(run_part("with_one_thread", {.environment = {"LOWTIDE_CONF=background:never"}}));
}

PART(fills_guarded_regions) {
    size_t count = 0;
    lowtide_region* r = lowtide_region_create(nullptr, nullptr);
    errno = 0;
    while (lowtide_region_alloc(r, 4u << 20) != nullptr) {
        REQUIRE(++count < 64);
    }
    REQUIRE(errno == ENOMEM);
    REQUIRE(count >= 12);
    lowtide_region_reset(r);
    REQUIRE(lowtide_region_alloc(r, 4u << 20) != nullptr); // what was freed doesn't count
    lowtide_region_destroy(r);
}

PROMISE(guarded_regions_keep_the_hard_limit) {
    require_success(
        run_part("fills_guarded_regions", {.environment = {"LOWTIDE_CONF=check:true,hard_limit:64M"}}));
}
