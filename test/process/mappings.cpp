// The kernel runs out of mappings (vm.max_map_count): it then refuses to split one, so a change of protection
// or the release of part of a mapping can fail as well. malloc gives memory or nullptr; nothing is lost for
// good.
#include "harness.h"
#include "workload.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

using namespace harness;
using namespace workload;

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kMiB = 1u << 20;
constexpr size_t kDataLimit = 400 * kMiB;

size_t mapping_limit() {
    char text[32] = {};
    int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0) {
        skip("vm.max_map_count cannot be read");
    }
    close(fd);
    const size_t limit = std::strtoul(text, nullptr, 10);
    if (limit > 1'000'000) {
        skip("vm.max_map_count is too high to be reached");
    }
    return limit;
}

// Uses up all mappings, by giving every other page of a region another protection.
class all_mappings {
public:
    all_mappings() : bytes_(2 * (mapping_limit() + 100) * kPage) {
        region_ = static_cast<char*>(
            mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
        REQUIRE(region_ != MAP_FAILED);
        size_t at = 0;
        while (at < bytes_ && mprotect(region_ + at, kPage, PROT_READ) == 0) {
            at += 2 * kPage;
        }
        REQUIRE(at < bytes_ && errno == ENOMEM);
        // A split makes two new mappings out of one; the last one is used up by a mapping at its end.
        while (mmap(nullptr, kPage, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) {
        }
    }
    all_mappings(const all_mappings&) = delete;
    all_mappings& operator=(const all_mappings&) = delete;
    ~all_mappings() { munmap(region_, bytes_); }

private:
    size_t bytes_;
    char* region_ = nullptr;
};

// One block of each kind, as far as there is memory; freed again.
void try_every_size() {
    constexpr size_t kSizes[] = {16, 100, 5000, 60'000, 300'000, kMiB, 3 * kMiB, 30 * kMiB, 100 * kMiB};
    void* blocks[std::size(kSizes)];
    for (size_t i = 0; i < std::size(kSizes); ++i) {
        errno = 0;
        blocks[i] = try_acquire(kSizes[i], i);
        REQUIRE(blocks[i] != nullptr || errno == ENOMEM);
    }
    for (void* block : blocks) {
        release(block);
    }
}

} // namespace

PROMISE(malloc_lives_through_a_shortage_of_mappings) {
    churn mine(1, 5 * kMiB);
    mine.run(2000);
    {
        all_mappings taken;
        for (int i = 0; i < 50; ++i) {
            try_every_size();
        }
        mine.clear();
        try_every_size();
    }
    use_every_size();
    mine.run(2000);
}

// Neighbouring mappings of our own may have been merged by the kernel, so that unmapping one means a split,
// which fails; the block is free all the same, and what it took is used again.
PROMISE(what_cannot_be_unmapped_for_want_of_mappings_is_not_lost) {
    constexpr size_t kBlocks = 12;
    constexpr size_t kSize =
        100 * kMiB - kPage; // with a page for the allocator: mappings that lie side by side
    void* blocks[kBlocks];
    size_t before = 0;
    for (int round = 0; round < 5; ++round) {
        for (void*& block : blocks) {
            block = acquire(kSize, 3);
        }
        {
            all_mappings taken;
            for (size_t i = 1; i < kBlocks; i += 2) {
                release(blocks[i]);
            }
            for (size_t i = 0; i < kBlocks; i += 2) {
                void* grown = std::realloc(blocks[i], 130 * kMiB);
                blocks[i] = grown != nullptr ? grown : blocks[i];
                require_intact(blocks[i]);
            }
        }
        for (size_t i = 0; i < kBlocks; i += 2) {
            release(blocks[i]);
        }
        if (round == 0) {
            before = mapped_bytes();
        }
    }
    REQUIRE(mapped_bytes() <= before + 3 * kSize);
}

// When malloc finds no memory it gives up all that is free, which is refused as well where that would split a
// mapping: here between blocks that stay, a few MiB apart.
PART(recovers_after_shortages) {
    constexpr size_t kSize = 100'000;
    constexpr size_t kApart = 6 * kMiB / kSize;
    static void* blocks[kDataLimit / kSize];
    for (int round = 0; round < 3; ++round) {
        size_t count = 0;
        while ((blocks[count] = try_acquire(kSize, count)) != nullptr) {
            ++count;
        }
        REQUIRE(count * kSize >= kDataLimit / 100 * 70);
        {
            all_mappings taken;
            for (size_t i = 0; i < count; ++i) {
                if (i % kApart != 0) {
                    release(blocks[i]);
                }
            }
            REQUIRE(std::malloc(2 * kDataLimit) == nullptr && errno == ENOMEM);
            try_every_size();
        }
        for (size_t i = 0; i < count; i += kApart) {
            release(blocks[i]);
        }
    }
}

PROMISE(what_cannot_be_given_up_for_want_of_mappings_is_not_lost) {
    require_success(run_part("recovers_after_shortages", {.prepare = [] {
                                 const rlimit both{kDataLimit, kDataLimit};
                                 REQUIRE(setrlimit(RLIMIT_DATA, &both) == 0);
                             }}));
}

PROMISE(memory_from_calloc_is_zero_through_a_shortage_of_mappings) {
    for (size_t size : {100 * kMiB, 20 * kMiB, kMiB, size_t{100'000}}) {
        all_mappings taken;
        for (int i = 0; i < 20; ++i) {
            auto* block = static_cast<unsigned char*>(std::calloc(1, size));
            if (block == nullptr) {
                continue;
            }
            for (size_t at = 0; at < size; at += 1024) {
                REQUIRE(block[at] == 0);
                block[at] = 1;
            }
            std::free(block);
        }
    }
}
