// Heap profiles of whole processes: what is estimated against what is so, whatever a program does with its
// memory meanwhile. Which allocations are sampled depends on their number and sizes only, so that the same
// process has the same estimates each time.
#include "harness.h"
#include "lowtide/profile.h"
#include "workload.h"

#include <atomic>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <malloc.h>
#include <map>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <vector>

using namespace harness;
using namespace workload;

namespace {

struct figures {
    uint64_t in_use_objects = 0;
    uint64_t in_use_bytes = 0;
    uint64_t allocated_objects = 0;
    uint64_t allocated_bytes = 0;
    uint64_t peak_objects = 0;
    uint64_t peak_bytes = 0;
    uint64_t pinned_bytes = 0;
    uint64_t samples = 0;
    uint64_t lifetime_ns = 0;

    void add(const figures& f) {
        in_use_objects += f.in_use_objects;
        in_use_bytes += f.in_use_bytes;
        allocated_objects += f.allocated_objects;
        allocated_bytes += f.allocated_bytes;
        peak_objects += f.peak_objects;
        peak_bytes += f.peak_bytes;
        pinned_bytes += f.pinned_bytes;
        samples += f.samples;
    }
};

// The profile as of now, read back; of all stacks, or of those with a return address in [begin, end).
std::string profile_text() {
    const int fd = memfd_create("profile", MFD_CLOEXEC);
    REQUIRE(fd >= 0 && lowtide_profile_write(fd) == 0);
    std::string text(static_cast<size_t>(lseek(fd, 0, SEEK_END)), '\0');
    REQUIRE(pread(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    close(fd);
    return text;
}

figures profile(const void* begin = nullptr, const void* end = nullptr) {
    const std::string text = profile_text();
    REQUIRE(text.rfind("lowtide profile 1\n", 0) == 0);
    REQUIRE(text.size() > 4 && text.compare(text.size() - 4, 4, "end\n") == 0);
    figures all;
    bool wanted = false;
    for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
        const char* line = text.c_str() + at;
        if (std::strncmp(line, "stack ", 6) == 0) {
            const char* rest = std::strchr(line + 6, ' ');
            wanted = begin == nullptr;
            for (char* next = nullptr; *rest == ' '; rest = next) {
                const auto address = std::strtoull(rest, &next, 16);
                wanted |= address >= reinterpret_cast<uintptr_t>(begin) &&
                          address < reinterpret_cast<uintptr_t>(end);
            }
        }
        figures f;
        if (wanted &&
            std::sscanf(line,
                        "site %*u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
                        " %" SCNu64 " %" SCNu64 " %" SCNu64,
                        &f.in_use_objects, &f.in_use_bytes, &f.allocated_objects, &f.allocated_bytes,
                        &f.peak_objects, &f.peak_bytes, &f.pinned_bytes, &f.samples, &f.lifetime_ns) == 9)
            all.add(f);
    }
    return all;
}

void require_near(uint64_t estimate, double truth, double share) {
    const double value = static_cast<double>(estimate);
    if (value < truth * (1 - share) || value > truth * (1 + share))
        std::fprintf(stderr, "estimated %.0f, is %.0f\n", value, truth);
    REQUIRE(value >= truth * (1 - share) && value <= truth * (1 + share));
}

void* volatile sink;

// ---- what is estimated

// Blocks of the sizes that programs have, some of them freed.
PART(estimated) {
    lowtide_profile_set_rate(32 * 1024);
    generator random(1);
    std::vector<std::pair<void*, size_t>> held;
    held.reserve(200'000);
    const figures before = profile();
    double allocated = 0;
    double in_use = 0;
    for (int i = 0; i < 200'000; ++i) {
        const size_t size = random.below(20) == 0 ? 2000 + random.below(60'000) : 1 + random.below(1000);
        held.emplace_back(std::malloc(size), size);
        allocated += static_cast<double>(size);
        in_use += static_cast<double>(size);
        if (random.below(3) != 0) {
            auto& one = held[random.below(held.size())];
            in_use -= static_cast<double>(one.second);
            std::free(one.first);
            one = held.back();
            held.pop_back();
        }
        for (int k = 0; k < 3; ++k) { // which nobody keeps
            sink = std::malloc(300);
            std::free(sink);
            allocated += 300;
        }
    }
    const figures now = profile();
    require_near(now.in_use_bytes - before.in_use_bytes, in_use, 0.05);
    require_near(now.in_use_objects - before.in_use_objects, static_cast<double>(held.size()), 0.15);
    require_near(now.allocated_bytes - before.allocated_bytes, allocated, 0.03);
    for (const auto& one : held)
        std::free(one.first);
    const figures then = profile();
    REQUIRE(then.in_use_bytes <= before.in_use_bytes);
    require_near(then.peak_bytes, in_use, 0.05);
}

PROMISE(a_profile_estimates_what_is_in_use_was_allocated_and_was_the_most) {
    for (const char* configuration :
         {"sample:0", "rseq:false", "check:true", "cache:0", "background:always", "sample:1M"})
        require_success(
            run_part("estimated", {.environment = {std::string("LOWTIDE_CONF=") + configuration}}));
}

// With a rate of one byte nothing is estimated.
PROMISE(a_profile_of_everything_is_exact) {
    lowtide_profile_set_rate(1);
    const figures before = profile();
    struct block {
        void* p;
        size_t size;
    };
    static block blocks[5000];
    generator random(2);
    uint64_t bytes = 0;
    for (block& b : blocks) {
        b.size = 1 + random_size(random, 3 << 20);
        switch (random.below(6)) {
        case 0:
            b.p = std::malloc(b.size);
            break;
        case 1:
            b.p = std::calloc(1, b.size);
            break;
        case 2:
            REQUIRE(posix_memalign(&b.p, 256, b.size) == 0);
            break;
        case 3:
            b.p = std::realloc(std::malloc(b.size / 2 + 1), b.size);
            break;
        case 4:
            b.p = operator new(b.size);
            break;
        default:
            b.p = std::malloc(40);
            b.size = 40;
        }
        REQUIRE(b.p != nullptr);
        bytes += b.size;
    }
    figures now = profile();
    REQUIRE(now.in_use_objects - before.in_use_objects == 5000);
    // A block that realloc has left where it was is as large as it was asked for first.
    require_near(now.in_use_bytes - before.in_use_bytes, static_cast<double>(bytes), 0.01);
    for (const block& b : blocks)
        std::free(b.p);
    now = profile();
    REQUIRE(now.in_use_objects == before.in_use_objects && now.in_use_bytes == before.in_use_bytes);
    REQUIRE(now.samples == before.samples);
}

PROMISE(a_profile_follows_what_realloc_moves) {
    lowtide_profile_set_rate(1);
    const uint64_t before = profile().in_use_bytes;
    char* p = nullptr;
    for (size_t size = 100; size < (size_t{600} << 20); size *= 3) {
        p = static_cast<char*>(std::realloc(p, size));
        REQUIRE(p != nullptr);
        p[0] = p[size - 1] = 1;
        const uint64_t now = profile().in_use_bytes - before;
        REQUIRE(now >= size / 3 && now <= size);
    }
    p = static_cast<char*>(std::realloc(p, size_t{300} << 20));
    REQUIRE(profile().in_use_bytes - before == size_t{300} << 20);
    std::free(p);
    REQUIRE(profile().in_use_bytes == before);
}

// ---- pinning

// One object of 64 is kept here, one of 4 there: who keeps pages from going back is named, with what it
// keeps.
[[gnu::noinline, gnu::aligned(64)]] void* sparse_site(size_t size) {
    void* p = std::malloc(size);
    sink = p;
    return p;
}
[[gnu::noinline, gnu::aligned(64)]] void* dense_site(size_t size) {
    void* p = std::malloc(size);
    sink = p;
    return p;
}
struct code_range {
    const void* begin;
    const void* end;
};
code_range code_of(void* (*function)(size_t)) {
    const auto* begin = reinterpret_cast<const char*>(function);
    return {begin, begin + 64};
}

PROMISE(a_profile_says_what_each_stack_keeps_from_going_back) {
    lowtide_profile_set_rate(1024);
    constexpr size_t count = 40'000;
    static void* blocks[count];
    // Answers with what is so: of each page that kept blocks lie on, what isn't theirs.
    const auto plant = [](void* (*site)(size_t), size_t size, size_t keep_one_in) {
        std::map<uintptr_t, size_t> kept; // bytes by page
        for (size_t i = 0; i < count; ++i)
            blocks[i] = i % keep_one_in == 0 ? site(size) : std::malloc(size);
        for (size_t i = 0; i < count; ++i)
            if (i % keep_one_in != 0)
                std::free(blocks[i]);
            else
                kept[reinterpret_cast<uintptr_t>(blocks[i]) / 4096] += size;
        malloc_trim(0);
        double pinned = 0;
        for (const auto& page : kept)
            pinned += 4096.0 - static_cast<double>(page.second);
        return pinned;
    };
    const double sparse = plant(sparse_site, 256, 64);
    const double dense = plant(dense_site, 512, 4);
    const code_range at_sparse = code_of(sparse_site);
    const code_range at_dense = code_of(dense_site);
    require_near(profile(at_sparse.begin, at_sparse.end).pinned_bytes, sparse, 0.10);
    require_near(profile(at_dense.begin, at_dense.end).pinned_bytes, dense, 0.10);
}

// Whoever allocates and frees all the time must be seen no more, and no less, than who takes one block now
// and then from among those.
PROMISE(a_profile_prefers_nobody_in_a_rhythm) {
    lowtide_profile_set_rate(8 * 1024);
    constexpr size_t size = 500;
    constexpr size_t rounds = 30'000;
    static void* blocks[rounds];
    for (void*& kept : blocks) {
        for (int k = 0; k < 7; ++k)
            std::free(dense_site(size));
        kept = sparse_site(size);
    }
    const code_range hot = code_of(dense_site);
    const code_range cold = code_of(sparse_site);
    require_near(profile(hot.begin, hot.end).allocated_bytes, 7.0 * rounds * size, 0.05);
    require_near(profile(cold.begin, cold.end).allocated_bytes, 1.0 * rounds * size, 0.10);
    require_near(profile(cold.begin, cold.end).in_use_objects, rounds, 0.10);
    REQUIRE(profile(hot.begin, hot.end).in_use_objects == 0);
}

// ---- concurrency

PROMISE(sampling_is_switched_while_threads_work) {
    {
        const busy_threads threads(6);
        for (int i = 0; i < 200; ++i) {
            lowtide_profile_set_rate(i % 3 == 0 ? 0 : i % 3 == 1 ? 1 : 4096);
            usleep(1000);
            if (i % 10 == 0 && i != 0)
                profile();
        }
        lowtide_profile_set_rate(1);
    }
    profile();
}

// Handlers allocate and free while they interrupt the recording of samples.
PROMISE(a_storm_of_signals_loses_no_sample) {
    lowtide_profile_set_rate(1);
    static std::atomic<int> handled{0};
    struct sigaction action = {};
    action.sa_handler = [](int) {
        const int saved = errno;
        void* p = std::malloc(100 + static_cast<size_t>(handled % 1000));
        std::memset(p, 1, 100);
        std::free(p);
        ++handled;
        errno = saved;
    };
    REQUIRE(sigaction(SIGUSR1, &action, nullptr) == 0);
    const uint64_t before = profile().in_use_objects;
    std::atomic<bool> stop{false};
    const pthread_t self = pthread_self();
    std::thread sender([&] {
        while (!stop)
            pthread_kill(self, SIGUSR1);
    });
    {
        churn mine(3);
        while (handled < 3'000)
            mine.run(100);
    }
    stop = true;
    sender.join();
    std::free(std::malloc(1 << 22));                 // what handlers could not free
    REQUIRE(profile().in_use_objects <= before + 2); // what the C++ library keeps
}

PROMISE(children_have_the_profile_of_the_parent_and_go_on) {
    lowtide_profile_set_rate(1);
    const busy_threads threads(3);
    for (int i = 0; i < 40; ++i) {
        const pid_t child = fork_guarded();
        if (child == 0) {
            const uint64_t before = profile().in_use_objects;
            void* held[100];
            for (void*& p : held)
                p = std::malloc(1000);
            REQUIRE(profile().in_use_objects == before + 100);
            for (void* p : held)
                std::free(p);
            REQUIRE(profile().in_use_objects == before);
            _exit(0);
        }
        require_success(child);
    }
}

// ---- probes

// For probes.sh: what a tracer should have heard.
PART(probed) {
    generator random(5);
    std::vector<void*> held;
    uint64_t allocated = 0;
    const auto take = [&](size_t size) {
        allocated += size;
        held.push_back(std::malloc(size));
    };
    for (int i = 0; i < 200'000; ++i) {
        take(1 + random.below(2000));
        if (i % 4 != 0) {
            std::free(held.back());
            held.pop_back();
        }
    }
    take(size_t{80} << 20);
    std::printf("allocated %ju\nsamples %ju\n", static_cast<uintmax_t>(allocated),
                static_cast<uintmax_t>(profile().samples));
}

// ---- asking

PROMISE(a_profile_needs_a_beginning_and_a_place) {
    const int fd = memfd_create("profile", MFD_CLOEXEC);
    errno = 0;
    REQUIRE(lowtide_profile_write(fd) == -1 && errno == ENODATA);
    REQUIRE(lseek(fd, 0, SEEK_END) == 0);
    lowtide_profile_set_rate(512 * 1024);
    errno = 0;
    REQUIRE(lowtide_profile_write(-1) == -1 && errno == EIO);
    const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    REQUIRE(full >= 0 && lowtide_profile_write(full) == -1 && errno == EIO);
    const std::string text = profile_text();
    REQUIRE(text.find("\nrate 524288\n") != std::string::npos);
    char program[4096] = "program ";
    REQUIRE(readlink("/proc/self/exe", program + 8, sizeof(program) - 9) > 0);
    REQUIRE(text.find(program) != std::string::npos);
    REQUIRE(text.find(std::string("pid ") + std::to_string(getpid())) != std::string::npos);
    // Code of this very program, with the build id that the linker gave it.
    const size_t mapping = text.find(program + 8, text.find("\nmapping "));
    REQUIRE(mapping != std::string::npos);
    REQUIRE(text[mapping - 2] != '-');
}

} // namespace
