// mlockall: every mapping is resident and stays so, madvise(MADV_DONTNEED) is refused, and a limit on locked
// memory makes mmap fail. What could not be given back is not taken for zero, and reservations cost no
// memory.
#include "harness.h"
#include "workload.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>

using namespace harness;
using namespace workload;

namespace {

constexpr size_t MiB = 1u << 20;
constexpr uid_t kNobody = 65534;

void lock_everything() {
    rlimit locked;
    REQUIRE(getrlimit(RLIMIT_MEMLOCK, &locked) == 0);
    locked.rlim_cur = locked.rlim_max;
    REQUIRE(setrlimit(RLIMIT_MEMLOCK, &locked) == 0);
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
        skip("mlockall is not permitted");
    }
}

void dirty_and_free(size_t size, size_t total) {
    const size_t count = total / size;
    auto** blocks = static_cast<void**>(std::malloc(count * sizeof(void*)));
    for (size_t i = 0; i < count; ++i) {
        blocks[i] = std::malloc(size);
        REQUIRE(blocks[i] != nullptr);
        std::memset(blocks[i], 0xee, size);
    }
    for (size_t i = 0; i < count; ++i) {
        std::free(blocks[i]);
    }
    std::free(blocks);
    malloc_trim(0);
}

void require_zeroes(size_t size, size_t total) {
    const size_t count = total / size;
    auto** blocks = static_cast<unsigned char**>(std::malloc(count * sizeof(void*)));
    for (size_t i = 0; i < count; ++i) {
        blocks[i] = static_cast<unsigned char*>(std::calloc(1, size));
        REQUIRE(blocks[i] != nullptr);
        for (size_t at = 0; at < size; ++at) {
            REQUIRE(blocks[i][at] == 0);
        }
    }
    for (size_t i = 0; i < count; ++i) {
        std::free(blocks[i]);
    }
    std::free(blocks);
}

} // namespace

PROMISE(malloc_works_with_all_memory_locked) {
    churn mine(1, MiB);
    mine.run(5000);
    lock_everything();
    use_every_size();
    mine.run(5000);
    busy_threads threads(3);
    threads.wait_for_steps(10'000);
}

PROMISE(calloc_gives_zeroes_where_locked_memory_could_not_be_given_back) {
    lock_everything();
    for (size_t dirtied : {size_t{500}, size_t{100'000}, 3 * MiB, 66 * MiB}) {
        for (size_t asked : {size_t{700}, size_t{50'000}, MiB, 65 * MiB}) {
            dirty_and_free(dirtied, 70 * MiB);
            require_zeroes(asked, 66 * MiB);
        }
    }
}

PROMISE(reservations_cost_no_memory_when_all_is_locked) {
    const size_t before = resident_bytes();
    lock_everything();
    void* blocks[100];
    for (size_t i = 0; i < std::size(blocks); ++i) {
        blocks[i] = acquire(16 + i * 200, i);
    }
    REQUIRE(resident_bytes() < before + 100 * MiB);
    for (void* block : blocks) {
        release(block);
    }
}

PROMISE(a_limit_on_locked_memory_gives_null_and_enomem) {
    if (geteuid() != 0) {
        skip("only root can lock what it has first, and then be bound by a limit");
    }
    lock_everything();
    rlimit little;
    REQUIRE(getrlimit(RLIMIT_MEMLOCK, &little) == 0);
    little.rlim_cur = little.rlim_max = std::min<rlim_t>(little.rlim_max, 64 * MiB);
    REQUIRE(setrlimit(RLIMIT_MEMLOCK, &little) == 0);
    REQUIRE(setresuid(kNobody, kNobody, kNobody) == 0); // the limit does not bind root
    constexpr size_t kMost = 2000;
    static void* blocks[kMost];
    size_t count = 0;
    errno = 0;
    while (count < kMost && (blocks[count] = try_acquire(100'000, count)) != nullptr) {
        ++count;
    }
    REQUIRE(count < kMost && errno == ENOMEM);
    REQUIRE(std::malloc(70 * MiB) == nullptr && errno == ENOMEM);
    for (size_t i = 0; i < count; ++i) {
        release(blocks[i]);
    }
    release(acquire(50'000, 1));
}
