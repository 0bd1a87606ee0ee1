// A cache of 2 MiB blocks, as a storage server has one, before and after.
//
//   block_cache [idle seconds]
//
// Before: a free list of one's own, a mutex and a vector. It is as large for ever as it was at its peak.
// After: a block pool, which gives back what wasn't used for a second. Each runs in a process of its own: 200
// blocks are in use, then 20, then nothing happens for a while.
#include "lowtide/block_pool.h"

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <sys/mman.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

constexpr std::size_t block_bytes = std::size_t{2} << 20;
constexpr std::size_t most_blocks = 200;
constexpr std::size_t least_blocks = 20;

// ---- before

class handwritten_blocks {
public:
    void* take() {
        {
            const std::lock_guard hold(lock_);
            if (!free_.empty()) {
                void* block = free_.back();
                free_.pop_back();
                return block;
            }
        }
        void* block = mmap(nullptr, block_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block == MAP_FAILED)
            throw std::bad_alloc();
        return block;
    }
    void give(void* block) {
        const std::lock_guard hold(lock_);
        free_.push_back(block);
    }

private:
    std::mutex lock_;
    std::vector<void*> free_;
};

// ---- after

class pooled_blocks {
public:
    pooled_blocks() {
        lowtide_block_pool_options options{};
        options.size = sizeof(options);
        options.name = "cache";
        options.block_size = block_bytes;
        options.low_watermark = 4; // kept for the next ones
        pool_ = lowtide_block_pool_create(&options);
        if (pool_ == nullptr)
            throw std::bad_alloc();
    }
    pooled_blocks(const pooled_blocks&) = delete;
    ~pooled_blocks() {
        if (lowtide_block_pool_destroy(pool_) != 0)
            std::abort(); // a block was never given back
    }
    void* take() {
        void* block = lowtide_block_pool_take(pool_, "cache entry");
        if (block == nullptr)
            throw std::bad_alloc();
        return block;
    }
    void give(void* block) { lowtide_block_pool_give(pool_, block); }

private:
    lowtide_block_pool* pool_ = nullptr;
};

// ---- the cache, which is the same for both

template <class Blocks>
class block_cache {
public:
    block_cache() = default;
    block_cache(const block_cache&) = delete;
    ~block_cache() { resize(0); }

    void resize(std::size_t count) {
        for (; entries_.size() > count; entries_.pop_back())
            blocks_.give(entries_.back());
        while (entries_.size() < count) {
            entries_.push_back(blocks_.take());
            std::memset(entries_.back(), 0x5a, block_bytes); // it is read from somewhere
        }
    }
    [[nodiscard]] std::size_t live_bytes() const { return entries_.size() * block_bytes; }

private:
    Blocks blocks_;
    std::vector<void*> entries_;
};

// Another thread, as every server has, which waits for work until the process ends.
class waiting_thread {
public:
    ~waiting_thread() {
        {
            const std::lock_guard hold(lock_);
            ended_ = true;
        }
        changed_.notify_one();
        thread_.join();
    }

private:
    void wait() {
        std::unique_lock hold(lock_);
        changed_.wait(hold, [this] { return ended_; });
    }

    std::mutex lock_;
    std::condition_variable changed_;
    bool ended_ = false;
    std::thread thread_{[this] { wait(); }};
};

std::size_t resident_bytes() {
    std::FILE* rollup = std::fopen("/proc/self/smaps_rollup", "re");
    if (rollup == nullptr)
        return 0;
    char line[256];
    std::size_t kib = 0;
    while (std::fgets(line, sizeof(line), rollup) != nullptr)
        if (std::sscanf(line, "Rss: %zu", &kib) == 1)
            break;
    std::fclose(rollup);
    return kib * 1024;
}

template <class Blocks>
void print_phase(const char* name, const char* phase, const block_cache<Blocks>& cache) {
    std::printf("%-20s %-16s %6zu MiB %10zu MiB\n", name, phase, cache.live_bytes() >> 20,
                resident_bytes() >> 20);
}

template <class Blocks>
void run(const char* name, int idle_seconds) {
    const waiting_thread other;
    block_cache<Blocks> cache;
    print_phase(name, "start", cache);
    cache.resize(most_blocks);
    print_phase(name, "200 blocks", cache);
    cache.resize(least_blocks);
    print_phase(name, "20 blocks", cache);
    std::this_thread::sleep_for(std::chrono::seconds(idle_seconds));
    print_phase(name, "20 blocks, idle", cache);
    cache.resize(most_blocks);
    print_phase(name, "200 blocks again", cache);
}

// False if it failed.
template <class Blocks>
bool run_in_child(const char* name, int idle_seconds) {
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        run<Blocks>(name, idle_seconds);
        std::fflush(stdout);
        _exit(0);
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

} // namespace

int main(int count, char** arguments) {
    const int idle_seconds = count > 1 ? std::atoi(arguments[1]) : 3;
    std::printf("%-20s %-16s %10s %14s\n", "cache", "phase", "live", "resident");
    const bool before = run_in_child<handwritten_blocks>("handwritten list", idle_seconds);
    const bool after = run_in_child<pooled_blocks>("block pool", idle_seconds);
    return before && after ? 0 : 1;
}
