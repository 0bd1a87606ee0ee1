// Block pools and heaps of one's own in a whole process: what goes back and when, what limits and huge pages
// do to them, and what a child of fork finds. No test asks how long anything takes: each waits until it has
// happened.
#include "harness.h"
#include "lowtide/block_pool.h"
#include "lowtide/heap.h"
#include "workload.h"
#include "wrong_free.h"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <malloc.h>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>
#include <thread>

using namespace harness;
using namespace workload;
using wrong_free::announce;
using wrong_free::launder;

namespace {

constexpr size_t kMebibyte = 1u << 20;

lowtide_block_pool* make_pool(size_t block_size, size_t max_blocks = 0, size_t low = 0) {
    lowtide_block_pool_options o = {};
    o.size = sizeof(o);
    o.name = "pool";
    o.block_size = block_size;
    o.max_blocks = max_blocks;
    o.low_watermark = low;
    o.return_ms = 300;
    lowtide_block_pool* p = lowtide_block_pool_create(&o);
    REQUIRE(p != nullptr);
    return p;
}

lowtide_block_pool_statistics stats_of(lowtide_block_pool* p) {
    lowtide_block_pool_statistics s = {};
    s.size = sizeof(s);
    REQUIRE(lowtide_block_pool_stats(p, &s) == 0);
    return s;
}

lowtide_heap_statistics stats_of(lowtide_heap* h) {
    lowtide_heap_statistics s = {};
    s.size = sizeof(s);
    REQUIRE(lowtide_heap_stats(h, &s) == 0);
    return s;
}

// Takes so many blocks, writes all of them, and gives them back.
void use(lowtide_block_pool* p, size_t count, size_t size) {
    void* blocks[1000];
    REQUIRE(count <= 1000);
    for (size_t i = 0; i < count; ++i) {
        blocks[i] = lowtide_block_pool_take(p, "use");
        REQUIRE(blocks[i] != nullptr);
        std::memset(blocks[i], static_cast<int>(i + 1), size);
    }
    for (size_t i = 0; i < count; ++i) {
        const auto* bytes = static_cast<const unsigned char*>(blocks[i]);
        REQUIRE(bytes[0] == static_cast<unsigned char>(i + 1) && bytes[size - 1] == bytes[0]);
        lowtide_block_pool_give(p, blocks[i]);
    }
}

template <typename Done>
void wait_until(Done done) {
    while (!done()) {
        usleep(20'000);
    }
}

// A second thread, so that the process has threads, which makes no call.
class bystander {
public:
    bystander() : thread_([this] { stop_.wait(false); }) {}
    ~bystander() {
        stop_ = true;
        stop_.notify_one();
        thread_.join();
    }
    bystander(const bystander&) = delete;
    bystander& operator=(const bystander&) = delete;

private:
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

// Threads that use pools and heaps until they are stopped.
class users {
public:
    users()
        : pool_(make_pool(64 * 1024)), few_(make_pool(2 * kMebibyte, 2)),
          heap_(lowtide_heap_create("users")) {
        REQUIRE(heap_ != nullptr);
        for (std::thread& t : threads_) {
            t = std::thread([this] { work(); });
        }
    }
    ~users() {
        stop_ = true;
        for (std::thread& t : threads_) {
            t.join();
        }
        REQUIRE(lowtide_block_pool_destroy(few_) == 0);
        REQUIRE(lowtide_block_pool_destroy(pool_) == 0);
        lowtide_heap_destroy(heap_);
    }
    users(const users&) = delete;
    users& operator=(const users&) = delete;

    lowtide_block_pool* pool() { return pool_; }
    lowtide_block_pool* few() { return few_; }
    lowtide_heap* heap() { return heap_; }
    void wait_for_steps(size_t more) {
        const size_t until = steps_ + more;
        while (steps_ < until) {
            std::this_thread::yield();
        }
    }

private:
    void work() {
        for (unsigned i = 0; !stop_; ++i) {
            use(pool_, 20, 64 * 1024);
            void* block = lowtide_block_pool_take_within(few_, "user", -1);
            REQUIRE(block != nullptr);
            void* objects[50];
            for (size_t n = 0; n < 50; ++n) {
                objects[n] = lowtide_heap_malloc(heap_, n * n * 20);
                REQUIRE(objects[n] != nullptr);
                std::memset(objects[n], 1, n * n * 20);
            }
            lowtide_block_pool_give(few_, block);
            for (void* each : objects) {
                std::free(each);
            }
            if (i % 16 == 0) {
                lowtide_block_pool_trim(pool_);
            }
            ++steps_;
        }
    }
    lowtide_block_pool* pool_;
    lowtide_block_pool* few_;
    lowtide_heap* heap_;
    std::atomic<bool> stop_{false};
    std::atomic<size_t> steps_{0};
    std::thread threads_[3];
};

void use_pools_and_heaps_in_child(users& others) {
    for (int round = 0; round < 3; ++round) {
        use(others.pool(), 200, 64 * 1024);
        lowtide_block_pool_trim(others.pool());
    }
    // What the parent's threads had is lost; nobody here waits for ever for what is left.
    void* blocks[2] = {};
    for (void*& block : blocks) {
        block = lowtide_block_pool_take_within(others.few(), "child", 1);
        REQUIRE(block != nullptr || errno == ETIMEDOUT);
    }
    for (int round = 0; round < 50; ++round) {
        for (void*& block : blocks) {
            lowtide_block_pool_give(others.few(), block);
            if (block != nullptr) {
                block = lowtide_block_pool_take(others.few(), "child");
                REQUIRE(block != nullptr);
            }
        }
    }
    for (size_t n = 0; n < 2000; ++n) {
        void* p = lowtide_heap_malloc(others.heap(), n * 30);
        REQUIRE(p != nullptr);
        std::memset(p, 1, n * 30);
        std::free(p);
    }
    malloc_trim(0);
    lowtide_block_pool* own = make_pool(2 * kMebibyte, 3);
    use(own, 3, 2 * kMebibyte);
    REQUIRE(lowtide_block_pool_destroy(own) == 0);
    lowtide_heap_destroy(others.heap());
}

void require_children_can_use_pools() {
    users others;
    for (int i = 0; i < 30; ++i) {
        others.wait_for_steps(5);
        const pid_t child = fork_guarded();
        if (child == 0) {
            use_pools_and_heaps_in_child(others);
            _exit(0);
        }
        require_success(child);
    }
}

void require_excess_goes_back() {
    const bystander other;
    for (const size_t size : {64 * 1024, 3 << 20, 4 << 20}) {
        const size_t count = 120 * kMebibyte / size;
        lowtide_block_pool* p = make_pool(size, 0, 10 * kMebibyte / size);
        const size_t before = resident_bytes();
        use(p, count < 1000 ? count : 1000, size);
        wait_until([&] { return resident_bytes() < before + 16 * kMebibyte; });
        const lowtide_block_pool_statistics s = stats_of(p);
        REQUIRE(s.taken == 0 && s.returned != 0);
        REQUIRE(s.ready + s.cached >= 10 * kMebibyte / size); // these stay
        REQUIRE(lowtide_block_pool_destroy(p) == 0);
    }
}

long faults_of_this_thread() {
    rusage usage = {};
    REQUIRE(getrusage(RUSAGE_THREAD, &usage) == 0);
    return usage.ru_minflt;
}

// The line of /proc/self/smaps about the mapping that `p` lies in which says how it is.
std::string flags_of(const void* p) {
    std::string flags;
    char line[512];
    FILE* maps = std::fopen("/proc/self/smaps", "r");
    REQUIRE(maps != nullptr);
    bool here = false;
    while (std::fgets(line, sizeof line, maps) != nullptr) {
        unsigned long from = 0;
        unsigned long to = 0;
        if (std::sscanf(line, "%lx-%lx ", &from, &to) == 2) {
            here = reinterpret_cast<uintptr_t>(p) - from < to - from;
        } else if (here && std::strncmp(line, "VmFlags:", 8) == 0) {
            flags = line;
        }
    }
    std::fclose(maps);
    return flags;
}

} // namespace

// --- fork

PROMISE(fork_child_can_use_pools_and_heaps_whatever_the_parents_threads_do_with_them) {
    require_children_can_use_pools();
}

PART(children_with_locked_caches) {
    require_children_can_use_pools();
}
PROMISE(fork_child_can_use_pools_and_heaps_without_rseq) {
    require_success(run_part("children_with_locked_caches", {.environment = {"LOWTIDE_CONF=rseq:false"}}));
}

// --- the tide

PART(excess_goes_back) {
    require_excess_goes_back();
}
PROMISE(free_blocks_above_the_low_watermark_go_back_in_a_process_that_makes_no_call) {
    require_excess_goes_back();
    require_success(run_part("excess_goes_back", {.environment = {"LOWTIDE_CONF=rseq:false"}}));
}

PART(trimmed) {
    const size_t before = resident_bytes();
    for (int i = 0; i < 2; ++i) {
        lowtide_block_pool* p = make_pool(256 * 1024, 0, 4);
        use(p, 400, 256 * 1024);
        REQUIRE(resident_bytes() > before + 90 * kMebibyte);
        if (i == 0) {
            REQUIRE(lowtide_block_pool_trim(p) == 396 * 256 * 1024);
        } else {
            REQUIRE(malloc_trim(0) == 1);
        }
        REQUIRE(resident_bytes() < before + 10 * kMebibyte);
        REQUIRE(stats_of(p).ready == 4);
        REQUIRE(lowtide_block_pool_destroy(p) == 0);
    }
}
PROMISE(free_blocks_go_back_when_asked_where_there_is_no_background_thread) {
    require_success(run_part("trimmed", {.environment = {"LOWTIDE_CONF=background:never"}}));
    require_success(run_part("trimmed", {.environment = {"LOWTIDE_CONF=background:never,rseq:false"}}));
}

PART(looked_after_in_calls) {
    lowtide_block_pool* p = make_pool(kMebibyte);
    use(p, 100, kMebibyte);
    wait_until([&] {
        use(p, 40, kMebibyte);
        return stats_of(p).returned >= 50;
    });
    REQUIRE(lowtide_block_pool_destroy(p) == 0);
}
PROMISE(free_blocks_go_back_in_the_pools_own_calls_where_there_is_no_background_thread) {
    require_success(run_part("looked_after_in_calls", {.environment = {"LOWTIDE_CONF=background:never"}}));
}

PROMISE(what_a_heap_had_goes_back_with_it) {
    malloc_trim(0);
    const size_t before = resident_bytes();
    for (int round = 0; round < 20; ++round) {
        lowtide_heap* h = lowtide_heap_create("plugin");
        for (size_t i = 0; i < 20'000; ++i) {
            char* p = static_cast<char*>(lowtide_heap_malloc(h, i % 3000 + 1));
            REQUIRE(p != nullptr);
            std::memset(p, 1, i % 3000 + 1);
        }
        REQUIRE(stats_of(h).objects == 20'000);
        lowtide_heap_destroy(h);
    }
    malloc_trim(0);
    REQUIRE(resident_bytes() < before + 4 * kMebibyte);
}

// --- limits

PART(limited) {
    lowtide_block_pool* p = make_pool(kMebibyte);
    void* blocks[100];
    size_t count = 0;
    while (count < 100 && (blocks[count] = lowtide_block_pool_take(p, "limited")) != nullptr) {
        ++count;
    }
    REQUIRE(count >= 20 && count < 100);
    REQUIRE(errno == ENOMEM);
    lowtide_heap* h = lowtide_heap_create("limited");
    REQUIRE(lowtide_heap_malloc(h, 20 * kMebibyte) == nullptr && errno == ENOMEM);
    for (size_t i = 0; i < count; ++i) {
        lowtide_block_pool_give(p, blocks[i]);
    }
    // Others can have what is free in a pool.
    void* large = std::malloc(30 * kMebibyte);
    REQUIRE(large != nullptr);
    std::memset(large, 1, 30 * kMebibyte);
    std::free(launder(large));
    void* object = lowtide_heap_malloc(h, 20 * kMebibyte);
    REQUIRE(object != nullptr);
    lowtide_heap_destroy(h);
    use(p, 20, kMebibyte);
    REQUIRE(lowtide_block_pool_destroy(p) == 0);
}
PROMISE(pools_and_heaps_keep_to_the_hard_limit_and_go_on_afterwards) {
    require_success(run_part("limited", {.environment = {"LOWTIDE_CONF=hard_limit:48M"}}));
    require_success(run_part("limited", {.environment = {"LOWTIDE_CONF=hard_limit:48M,rseq:false"}}));
}

PROMISE(a_pool_whose_memory_is_locked_can_be_destroyed) {
    lowtide_block_pool* p = make_pool(kMebibyte);
    use(p, 4, kMebibyte);
    void* block = lowtide_block_pool_take(p, "locked");
    if (mlock(block, kMebibyte) != 0) {
        skip("memory can't be locked here");
    }
    lowtide_block_pool_give(p, block);
    REQUIRE(lowtide_block_pool_destroy(p) == 0);
}

// --- huge pages

PROMISE(pools_of_whole_huge_pages_may_have_them_and_those_that_must_not_have_none) {
    // Where the first blocks of a process lie there are none.
    lowtide_block_pool* first = make_pool(2 * kMebibyte);
    void* taken[8];
    for (void*& each : taken) {
        each = lowtide_block_pool_take(first, "first");
        REQUIRE(reinterpret_cast<uintptr_t>(each) % (2 * kMebibyte) == 0);
    }
    const std::string huge = flags_of(taken[7]);
    if (huge.find(" nh") == std::string::npos && huge.find(" hg") == std::string::npos) {
        skip("the kernel knows of no huge pages");
    }
    REQUIRE(huge.find(" hg") != std::string::npos);
    lowtide_block_pool_options o = {};
    o.size = sizeof(o);
    o.block_size = 2 * kMebibyte;
    o.small_pages = 1;
    lowtide_block_pool* small = lowtide_block_pool_create(&o);
    for (void* each : taken) {
        lowtide_block_pool_give(first, each);
    }
    lowtide_block_pool_trim(first);
    for (void*& each : taken) {
        each = lowtide_block_pool_take(small, "small");
        const std::string flags = flags_of(each);
        REQUIRE(flags.find(" nh") != std::string::npos && flags.find(" hg") == std::string::npos);
    }
}

// --- steady state

PROMISE(a_pool_in_its_steady_state_faults_nothing_in_and_makes_no_block) {
    lowtide_block_pool* p = make_pool(64 * 1024);
    use(p, 8, 64 * 1024);
    const lowtide_block_pool_statistics before = stats_of(p);
    const long faults = faults_of_this_thread();
    for (int i = 0; i < 100'000; ++i) {
        void* block = lowtide_block_pool_take(p, "steady");
        *static_cast<volatile char*>(block) = 1;
        lowtide_block_pool_give(p, block);
    }
    REQUIRE(faults_of_this_thread() - faults < 100);
    const lowtide_block_pool_statistics after = stats_of(p);
    REQUIRE(after.returned == before.returned && after.refused == 0 && after.waits == 0);
    REQUIRE(lowtide_block_pool_destroy(p) == 0);
}

// --- what must not be freed like that

PART(pool_block_freed) {
    lowtide_block_pool* p = make_pool(64 * 1024);
    std::free(launder(announce(lowtide_block_pool_take(p, "t"))));
}
PART(large_pool_block_freed) {
    lowtide_block_pool* p = make_pool(6 * kMebibyte);
    std::free(launder(announce(static_cast<char*>(lowtide_block_pool_take(p, "t")) + 3 * kMebibyte)));
}
PART(pool_block_reallocated) {
    lowtide_block_pool* p = make_pool(64 * 1024);
    static_cast<void>(!std::realloc(launder(announce(lowtide_block_pool_take(p, "t"))), 100));
}
PART(pool_block_asked_for_its_size) {
    lowtide_block_pool* p = make_pool(64 * 1024);
    static_cast<void>(!malloc_usable_size(launder(announce(lowtide_block_pool_take(p, "t")))));
}
PROMISE(a_block_of_a_pool_is_not_mallocs) {
    wrong_free::require_caught_at_once("pool_block_freed", "lowtide_block_pool_give gives it back");
    wrong_free::require_caught_at_once("large_pool_block_freed", "lowtide_block_pool_give gives it back");
    wrong_free::require_caught_at_once("pool_block_reallocated", "block pool");
    wrong_free::require_caught_at_once("pool_block_asked_for_its_size", "block pool");
}

PART(given_twice) {
    lowtide_block_pool* p = make_pool(64 * 1024);
    void* block = announce(lowtide_block_pool_take(p, "t"));
    lowtide_block_pool_give(p, block);
    lowtide_block_pool_give(p, block);
}
PART(given_to_another_pool) {
    void* block = announce(lowtide_block_pool_take(make_pool(64 * 1024), "t"));
    lowtide_block_pool_give(make_pool(64 * 1024), block);
}
PART(mallocs_given_to_a_pool) {
    lowtide_block_pool_give(make_pool(64 * 1024), announce(std::malloc(64 * 1024)));
}
PART(pool_destroyed_twice) {
    lowtide_block_pool* p = make_pool(64 * 1024);
    REQUIRE(lowtide_block_pool_destroy(p) == 0);
    announce(p);
    lowtide_block_pool_destroy(p);
}
PROMISE(a_wrong_block_or_pool_is_reported) {
    wrong_free::require_caught_at_once("given_twice", "given back before (pool \"pool\")");
    wrong_free::require_caught_at_once("given_to_another_pool", "not a block of this pool");
    wrong_free::require_caught_at_once("mallocs_given_to_a_pool", "not a block of this pool");
    wrong_free::require_caught_at_once("pool_destroyed_twice", "not a block pool, or one that was destroyed");
}

PART(destroyed_while_taken) {
    lowtide_block_pool* p = make_pool(64 * 1024);
    void* one = lowtide_block_pool_take(p, "the reader");
    void* two = lowtide_block_pool_take(p, "the writer");
    void* three = lowtide_block_pool_take(p, "the writer");
    REQUIRE(lowtide_block_pool_destroy(p) == -1 && errno == EBUSY);
    use(p, 10, 64 * 1024);
    lowtide_block_pool_give(p, one);
    lowtide_block_pool_give(p, two);
    lowtide_block_pool_give(p, three);
    REQUIRE(lowtide_block_pool_destroy(p) == 0);
    REQUIRE(lowtide_block_pool_destroy(nullptr) == 0);
}
PROMISE(a_pool_with_taken_blocks_says_whose_they_are_and_stays) {
    const outcome of = run_part("destroyed_while_taken");
    require_success(of);
    const size_t writer = of.err.find("2 taken by the writer");
    REQUIRE(writer != std::string::npos && of.err.find("1 taken by the reader") > writer);
}

PROMISE(options_that_cannot_be_are_refused) {
    const auto refuses = [](auto change) {
        lowtide_block_pool_options o = {};
        o.size = sizeof(o);
        o.block_size = 64 * 1024;
        change(o);
        errno = 0;
        return lowtide_block_pool_create(&o) == nullptr && errno == EINVAL;
    };
    using options = lowtide_block_pool_options;
    REQUIRE(lowtide_block_pool_create(nullptr) == nullptr && errno == EINVAL);
    REQUIRE(refuses([](options& o) { o.size = 0; }));
    REQUIRE(refuses([](options& o) { o.size = sizeof(o) + 8; }));
    REQUIRE(refuses([](options& o) { o.block_size = 4095; }));
    REQUIRE(refuses([](options& o) { o.block_size = 64 * kMebibyte + 1; }));
    REQUIRE(refuses([](options& o) { o.block_size = SIZE_MAX; }));
    REQUIRE(refuses([](options& o) { o.low_watermark = 5, o.high_watermark = 4; }));
    REQUIRE(refuses([](options& o) { o.low_watermark = 5, o.max_blocks = 4; }));
    REQUIRE(refuses([](options& o) { o.prepopulate = 5, o.max_blocks = 4; }));
    REQUIRE(refuses([](options& o) { o.prepopulate = 5, o.high_watermark = 4; }));
    lowtide_block_pool_options o = {};
    o.size = sizeof(o);
    o.block_size = 5000;
    o.prepopulate = 4;
    o.numa_node = 1;
    errno = 7;
    lowtide_block_pool* p = lowtide_block_pool_create(&o);
    REQUIRE(p != nullptr && errno == 7);
    REQUIRE(stats_of(p).block_size == 8192 && stats_of(p).ready == 4);
    lowtide_block_pool_statistics s = {};
    s.size = 16;
    REQUIRE(lowtide_block_pool_stats(p, &s) == 0 && s.size == 16 && s.block_size == 8192 && s.ready == 0);
    s.size = 4;
    REQUIRE(lowtide_block_pool_stats(p, &s) == -1 && errno == EINVAL);
    REQUIRE(lowtide_block_pool_print(p, -1) == -1 && errno == EIO);
    REQUIRE(lowtide_block_pool_destroy(p) == 0);
}

// --- heaps

PROMISE(a_heaps_functions_do_what_mallocs_do) {
    lowtide_heap* h = lowtide_heap_create("a name of more than thirty-one characters");
    REQUIRE(std::strcmp(lowtide_heap_name(h), "a name of more than thirty-one ") == 0);
    errno = 7;
    void* none = lowtide_heap_malloc(h, 0);
    void* other = lowtide_heap_malloc(h, 0);
    REQUIRE(none != nullptr && none != other && errno == 7);
    REQUIRE(lowtide_heap_of(none) == h && lowtide_heap_of(&none) == nullptr);
    void* mallocs = std::malloc(100);
    REQUIRE(lowtide_heap_of(mallocs) == nullptr && lowtide_heap_of(nullptr) == nullptr);
    std::free(mallocs);
    REQUIRE(lowtide_heap_malloc(h, launder(&errno) != nullptr ? SIZE_MAX : 0) == nullptr && errno == ENOMEM);
    REQUIRE(lowtide_heap_malloc(h, size_t{1} << 62) == nullptr);
    errno = 0;
    REQUIRE(lowtide_heap_calloc(h, SIZE_MAX / 2, 3) == nullptr && errno == ENOMEM);
    REQUIRE(lowtide_heap_calloc(h, size_t{1} << 33, size_t{1} << 33) == nullptr);
    REQUIRE(lowtide_heap_aligned_alloc(h, 24, 100) == nullptr && errno == EINVAL);
    REQUIRE(lowtide_heap_aligned_alloc(h, 0, 100) == nullptr && errno == EINVAL);
    REQUIRE(lowtide_heap_aligned_alloc(h, size_t{1} << 63, 1) == nullptr && errno == ENOMEM);
    for (size_t alignment = 1; alignment <= 64 * kMebibyte; alignment *= 2) {
        void* p = lowtide_heap_aligned_alloc(h, alignment, 1000);
        REQUIRE(p != nullptr && reinterpret_cast<uintptr_t>(p) % alignment == 0);
        REQUIRE(lowtide_heap_usable_size(h, p) >= 1000 && lowtide_heap_usable_size(h, nullptr) == 0);
        std::memset(p, 1, 1000);
        lowtide_heap_free(h, p);
    }
    char* text = static_cast<char*>(lowtide_heap_realloc(h, nullptr, 6));
    std::memcpy(text, "hello", 6);
    for (const size_t size : {10u, 100u, 5000u, 100'000u, 5'000'000u, 200'000u, 600u, 6u}) {
        text = static_cast<char*>(lowtide_heap_realloc(h, text, size));
        REQUIRE(text != nullptr && std::memcmp(text, "hello", 6) == 0);
    }
    errno = 0;
    REQUIRE(lowtide_heap_realloc(h, text, SIZE_MAX) == nullptr && errno == ENOMEM);
    REQUIRE(std::memcmp(text, "hello", 6) == 0);
    REQUIRE(lowtide_heap_realloc(h, text, 0) == nullptr);
    lowtide_heap_free(h, nullptr);
    REQUIRE(stats_of(h).objects == 2);
    lowtide_heap_free(h, none);
    lowtide_heap_free(h, other);
    REQUIRE(stats_of(h).objects == 0 && stats_of(h).live == 0);
    lowtide_heap_destroy(h);
    lowtide_heap_destroy(nullptr);
}

PROMISE(free_and_realloc_of_the_process_know_a_heaps_objects) {
    lowtide_heap* h = lowtide_heap_create("h");
    for (const size_t size : {1u, 100u, 4000u, 60'000u, 300'000u, 9'000'000u}) {
        char* p = static_cast<char*>(lowtide_heap_malloc(h, size));
        p[0] = 'x';
        REQUIRE(malloc_usable_size(p) == lowtide_heap_usable_size(h, p));
        p = static_cast<char*>(std::realloc(launder(p), size * 3));
        REQUIRE(p != nullptr && p[0] == 'x' && lowtide_heap_of(p) == h); // it stays in its heap
        std::free(launder(p));
        REQUIRE(stats_of(h).objects == 0);
    }
    // And what is freed is not malloc's.
    for (int i = 0; i < 1000; ++i) {
        std::free(launder(lowtide_heap_malloc(h, 64)));
        void* p = std::malloc(64);
        REQUIRE(lowtide_heap_of(p) == nullptr);
        std::free(launder(p));
    }
    lowtide_heap_destroy(h);
}

PART(anothers_object) {
    lowtide_heap* a = lowtide_heap_create("a");
    lowtide_heap* b = lowtide_heap_create("b");
    lowtide_heap_free(a, announce(lowtide_heap_malloc(b, 100)));
}
PART(anothers_large_object) {
    lowtide_heap* a = lowtide_heap_create("a");
    lowtide_heap* b = lowtide_heap_create("b");
    lowtide_heap_free(a, announce(lowtide_heap_malloc(b, 1'000'000)));
}
PART(mallocs_object) {
    lowtide_heap_free(lowtide_heap_create("a"), announce(std::malloc(100)));
}
PART(a_heaps_object_twice) {
    lowtide_heap* h = lowtide_heap_create("a");
    void* kept = lowtide_heap_malloc(h, 100);
    void* p = announce(lowtide_heap_malloc(h, 100));
    lowtide_heap_free(h, launder(p));
    lowtide_heap_free(h, launder(p));
    std::free(kept);
}
PART(a_heaps_object_twice_by_free) {
    void* p = announce(lowtide_heap_malloc(lowtide_heap_create("a"), 100));
    std::free(launder(p));
    std::free(launder(p));
}
PART(a_heaps_large_object_twice) {
    lowtide_heap* h = lowtide_heap_create("a");
    void* p = announce(lowtide_heap_malloc(h, 1'000'000));
    lowtide_heap_free(h, launder(p));
    lowtide_heap_free(h, launder(p));
}
PART(inside_a_heaps_object) {
    std::free(launder(announce(static_cast<char*>(lowtide_heap_malloc(lowtide_heap_create("a"), 100)) + 16)));
}
PART(inside_a_heaps_large_object) {
    lowtide_heap* h = lowtide_heap_create("a");
    lowtide_heap_free(h, announce(static_cast<char*>(lowtide_heap_malloc(h, 5'000'000)) + 70'000));
}
PART(a_destroyed_heap) {
    lowtide_heap* h = lowtide_heap_create("a");
    lowtide_heap_destroy(h);
    static_cast<void>(lowtide_heap_malloc(static_cast<lowtide_heap*>(announce(h)), 10));
}
PROMISE(a_wrong_free_of_a_heaps_object_is_reported) {
    wrong_free::require_caught_at_once("anothers_object", "not an object of this heap");
    wrong_free::require_caught_at_once("anothers_large_object", "not an object of this heap");
    wrong_free::require_caught_at_once("mallocs_object", "not an object of this heap");
    wrong_free::require_caught_at_once("a_heaps_object_twice", "this memory is free");
    wrong_free::require_caught_at_once("a_heaps_object_twice_by_free", "this memory is free");
    wrong_free::require_caught_at_once("a_heaps_large_object_twice", "not an object of this heap");
    wrong_free::require_caught_at_once("inside_a_heaps_object", "interior");
    wrong_free::require_caught_at_once("inside_a_heaps_large_object", "interior");
    wrong_free::require_caught_at_once("a_destroyed_heap", "not a heap, or one that was destroyed");
}

// ---- destroyed in use: a line, and the end, whatever the others were doing

namespace {

constexpr size_t kDestroyedBlock = 64 * 1024;

struct victim {
    lowtide_block_pool* pool = nullptr;
    lowtide_heap* heap = nullptr;
    std::atomic<int> at_work{0};
};

void* take_and_give(void* of) {
    auto& v = *static_cast<victim*>(of);
    for (;;) {
        // Nothing is taken for most of the time.
        void* block = lowtide_block_pool_take(v.pool, "victim");
        lowtide_block_pool_give(v.pool, block);
        ++v.at_work;
        for (int i = 0; i < 1000; ++i) {
            asm volatile("");
        }
    }
}

void* allocate_and_free(void* of) {
    auto& v = *static_cast<victim*>(of);
    for (size_t i = 0;; ++i) {
        void* object = lowtide_heap_malloc(v.heap, i % 64 == 0 ? 200'000 : i % 1000);
        ++v.at_work;
        lowtide_heap_free(v.heap, object);
    }
}

void* wait_for_a_block(void* of) {
    auto& v = *static_cast<victim*>(of);
    ++v.at_work;
    static_cast<void>(lowtide_block_pool_take_within(v.pool, "victim", -1));
    return nullptr;
}

lowtide_block_pool* pool_of(size_t most) {
    lowtide_block_pool_options options{};
    options.size = sizeof(options);
    options.name = "victims";
    options.block_size = kDestroyedBlock;
    options.max_blocks = most;
    return lowtide_block_pool_create(&options);
}

void begin(victim& v, void* (*how)(void*)) {
    pthread_detach(start_thread(how, &v));
    while (v.at_work < 3) {
        usleep(100);
    }
}

bool says(const outcome& of, const char* what) {
    if (of.err.find(what) == of.err.npos) {
        std::fprintf(stderr, "%s", of.err.c_str());
        return false;
    }
    return of.killed_by(SIGABRT);
}

} // namespace

PART(destroys_a_pool_in_use) {
    victim v;
    v.pool = pool_of(0);
    begin(v, take_and_give);
    while (lowtide_block_pool_destroy(v.pool) != 0) { // a block is taken at this moment
    }
    sleep(60); // the other one comes to its next call
}

PART(destroys_a_heap_in_use) {
    victim v;
    v.heap = lowtide_heap_create("victims");
    begin(v, allocate_and_free);
    lowtide_heap_destroy(v.heap);
    sleep(60);
}

PART(destroys_a_pool_that_somebody_waits_for) {
    victim v;
    v.pool = pool_of(1);
    void* only = lowtide_block_pool_take(v.pool, "first");
    v.at_work = 2;
    begin(v, wait_for_a_block);
    lowtide_block_pool_statistics now{};
    for (now.size = sizeof(now); now.waits == 0;) {
        REQUIRE(lowtide_block_pool_stats(v.pool, &now) == 0);
    }
    static_cast<void>(only);
    lowtide_block_pool_destroy(v.pool);
}

PROMISE(a_pool_that_is_destroyed_in_use_ends_the_program_with_a_line) {
    for (int i = 0; i < 20; ++i) {
        REQUIRE(says(run_part("destroys_a_pool_in_use"), "destroyed"));
    }
}

PROMISE(a_heap_that_is_destroyed_in_use_ends_the_program_with_a_line) {
    for (int i = 0; i < 20; ++i) {
        REQUIRE(says(run_part("destroys_a_heap_in_use"), "destroyed"));
    }
}

PROMISE(a_pool_that_somebody_waits_for_is_not_destroyed) {
    REQUIRE(says(run_part("destroys_a_pool_that_somebody_waits_for"),
                 "(\"victims\") is destroyed, and a thread waits for a block of it\n"));
}
