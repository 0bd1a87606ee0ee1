// A process on more processors than the machine has: as many threads as virtual ids, each with a row of its
// own. The same work and the same live memory are spread over all of them; what the caches hold must follow
// the work, not the number of processors.
//
//   processors NUMBER: prints what was live and what was cached while all threads were there, and how often a
//   lock was met held; 1 if the caches held too much
#include "virtual_ids.h"

#include "lowtide/lowtide.h"

#include <algorithm>
#include <barrier>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t all_objects = 1 << 17;    // live at any time, in all threads together
constexpr std::size_t all_operations = 1 << 24; // replacements, in all threads together
constexpr std::size_t largest = 1024;

struct generator {
    std::uint64_t state;
    std::uint64_t next() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state;
    }
};

/// Objects of one thread, which replaces them at random; every so often it takes over its neighbour's.
struct worker {
    std::vector<char*> objects;
    generator random;

    void replace() {
        char*& chosen = objects[random.next() % objects.size()];
        std::free(chosen);
        const std::size_t size = 1 + random.next() % largest;
        chosen = static_cast<char*>(std::malloc(size));
        std::memset(chosen, 1, size);
    }
};

std::size_t figure(std::size_t lowtide_statistics::*which) {
    lowtide_statistics all{};
    all.size = sizeof all;
    if (lowtide_stats(&all) != 0)
        std::abort();
    return all.*which;
}

} // namespace

int main(int count, char** words) {
    const auto processors = static_cast<std::size_t>(count > 1 ? std::atoi(words[1]) : 0);
    if (processors == 0)
        return 2;
    constexpr int rounds = 64;
    std::vector<worker> workers(processors);
    for (std::size_t i = 0; i < processors; ++i) {
        workers[i].objects.resize(all_objects / processors);
        workers[i].random.state = 88172645463325252U + i;
    }
    std::barrier together(static_cast<std::ptrdiff_t>(processors + 1));
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < processors; ++i)
        threads.emplace_back([&, i] {
            if (!lowtide_virtual_join())
                std::abort();
            for (int round = 0; round < rounds; ++round) {
                worker& mine = workers[(i + static_cast<std::size_t>(round)) % processors];
                for (std::size_t n = all_operations / processors / rounds; n > 0; --n)
                    mine.replace();
                together.arrive_and_wait();
            }
            together.arrive_and_wait(); // while the figures are taken
        });
    for (int round = 0; round < rounds; ++round)
        together.arrive_and_wait();
    const std::size_t live = figure(&lowtide_statistics::live);
    const std::size_t cached = figure(&lowtide_statistics::cached);
    // Magazines and depots (front.cpp).
    const std::size_t limit =
        std::max<std::size_t>(64 << 20, live / 4) + std::max<std::size_t>(4 << 20, live / 16);
    std::printf("processors %zu live %zu cached %zu (at most %zu) metadata %zu contended %.1f in a million\n",
                processors, live, cached, limit, figure(&lowtide_statistics::metadata),
                static_cast<double>(lowtide_virtual_contended()) * 1e6 / static_cast<double>(all_operations));
    together.arrive_and_wait();
    for (std::thread& each : threads)
        each.join();
    for (worker& each : workers)
        for (char* object : each.objects)
            std::free(object);
    return cached <= limit ? 0 : 1;
}
