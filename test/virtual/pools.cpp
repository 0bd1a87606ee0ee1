// Operations on regions and block pools, whose instructions instructions.sh counts: those of the library, and
// those of this program, where the inline functions are and a loop around them.
//
//   virtual_pools --scale F NAME: prints, as lowtide-workloads does, `malloc` and `operations`
#include "../../bench/witness/object_of.h"
#include "lowtide/block_pool.h"
#include "lowtide/region.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr std::size_t request_objects = 20;

// The compiler must take the object for used.
void keep(void* object) {
    asm volatile("" : : "r"(object));
}

void need(const void* what) {
    if (what == nullptr)
        std::abort();
}

void fill(lowtide_region* region, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i)
        keep(lowtide_region_alloc(region, 48));
}

// One chunk for all: what the inline function costs.
void allocate(std::uint64_t operations) {
    lowtide_region_options options{};
    options.size = sizeof options;
    options.first_chunk = options.largest_chunk = 64 << 20;
    lowtide_region* region = lowtide_region_create(nullptr, &options);
    need(region);
    fill(region, operations);
}

// Chunks of the usual sizes.
void many(std::uint64_t operations) {
    for (std::uint64_t i = 0; i < operations; i += 1000) {
        lowtide_region* region = lowtide_region_create(nullptr, nullptr);
        need(region);
        fill(region, 1000);
        lowtide_region_destroy(region);
    }
}

void request(std::uint64_t operations) {
    lowtide_region* connection = lowtide_region_create(nullptr, nullptr);
    need(connection);
    for (std::uint64_t i = 0; i < operations; ++i) {
        lowtide_region* region = lowtide_region_create(connection, nullptr);
        need(region);
        fill(region, request_objects);
        lowtide_region_destroy(region);
    }
}

lowtide_block_pool* make_pool() {
    lowtide_block_pool_options options{};
    options.size = sizeof options;
    options.block_size = 2 << 20;
    lowtide_block_pool* pool = lowtide_block_pool_create(&options);
    need(pool);
    return pool;
}

void one_block(std::uint64_t operations) {
    lowtide_block_pool* pool = make_pool();
    for (std::uint64_t i = 0; i < operations; ++i)
        lowtide_block_pool_give(pool, lowtide_block_pool_take(pool, nullptr));
}

// More than a cache holds.
void sixteen_blocks(std::uint64_t operations) {
    lowtide_block_pool* pool = make_pool();
    void* taken[16];
    for (std::uint64_t i = 0; i < operations; i += 16) {
        for (void*& block : taken)
            block = lowtide_block_pool_take(pool, nullptr);
        for (void* block : taken)
            lowtide_block_pool_give(pool, block);
    }
}

struct workload {
    const char* name;
    void (*run)(std::uint64_t operations);
    std::uint64_t operations;
};
constexpr workload all[] = {
    {"region/alloc", allocate, 1'000'000},
    {"region/many", many, 1'000'000},
    {"region/request", request, 1'000'000},
    {"block_pool/one", one_block, 1'000'000},
    {"block_pool/sixteen", sixteen_blocks, 1'000'000},
};

} // namespace

int main(int count, char** words) {
    if (count != 4 || std::strcmp(words[1], "--scale") != 0)
        return 2;
    for (const workload& each : all) {
        if (std::strcmp(each.name, words[3]) != 0)
            continue;
        const auto operations =
            static_cast<std::uint64_t>(static_cast<double>(each.operations) * std::strtod(words[2], nullptr));
        each.run(operations);
        std::printf("malloc %s\noperations %ju\n", lowtide::bench::object_of("malloc"), operations);
        return 0;
    }
    return 2;
}
