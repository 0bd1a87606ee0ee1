// The account (lowtide/account.h) adds up to what the kernel says, and each part of it is what was planted
// there.
#include "harness.h"
#include "workload.h"

#include <lowtide/account.h>
#include <lowtide/block_pool.h>
#include <lowtide/heap.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <malloc.h>
#include <sys/mman.h>

using namespace harness;

namespace {

constexpr size_t kMebibyte = size_t{1} << 20;
constexpr size_t kPage = 4096;

// Kept outside malloc: what the test itself needs mustn't move the figures.
class text_in_a_file {
public:
    text_in_a_file() : fd_(memfd_create("account", MFD_CLOEXEC)) { REQUIRE(fd_ >= 0); }
    ~text_in_a_file() { close(fd_); }
    text_in_a_file(const text_in_a_file&) = delete;
    text_in_a_file& operator=(const text_in_a_file&) = delete;
    int fd() const { return fd_; }
    const char* read(char* to, size_t size) const {
        const ssize_t got = pread(fd_, to, size - 1, 0);
        REQUIRE(got > 0 && static_cast<size_t>(got) < size - 1);
        to[got] = '\0';
        return to;
    }

private:
    int fd_;
};

class account {
public:
    account() {
        static char* const memory = static_cast<char*>(
            mmap(nullptr, kMebibyte, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        const text_in_a_file file;
        REQUIRE(lowtide_account_print(file.fd(), LOWTIDE_ACCOUNT_JSON) == 0);
        text_ = file.read(memory, kMebibyte);
    }
    // The number behind "key": that comes behind "part".
    size_t number(const char* part, const char* key) const {
        const char* at = std::strstr(text_, (std::string("\"") + part + "\":").c_str());
        REQUIRE(at != nullptr);
        at = std::strstr(at, (std::string("\"") + key + "\":").c_str());
        REQUIRE(at != nullptr);
        return std::strtoull(at + std::strlen(key) + 3, nullptr, 10);
    }
    size_t resident(const char* part) const { return number(part, "resident_bytes"); }
    size_t bytes(const char* part) const { return number(part, "bytes"); }
    size_t all() const { return resident("taken_ns"); }
    const char* text() const { return text_; }

private:
    const char* text_;
};

size_t rollup() {
    char text[4096];
    const int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    REQUIRE(fd >= 0);
    const ssize_t got = read(fd, text, sizeof(text) - 1);
    close(fd);
    REQUIRE(got > 0);
    text[got] = '\0';
    const char* rss = std::strstr(text, "\nRss:");
    REQUIRE(rss != nullptr);
    return std::strtoull(rss + 5, nullptr, 10) * 1024;
}

bool about(size_t is, size_t should_be, size_t tolerance) {
    const bool right = is + tolerance >= should_be && is <= should_be + tolerance;
    if (!right) {
        std::fprintf(stderr, "%zu instead of %zu\n", is, should_be);
    }
    return right;
}

size_t tables = 0; // bytes of those that this program has

constexpr const char* parts[] = {"live",        "huge",       "cached",    "slab_free", "run_free",
                                 "huge_parked", "pool_taken", "pool_free", "heap_live", "heap_free",
                                 "metadata",    "files",      "stack",     "other"};

// The sum is the kernel's figure, within 2 %, and what nobody explains is what this small process has
// besides.
void require_that_it_adds_up(const account& a) {
    size_t sum = 0;
    for (const char* part : parts) {
        sum += a.resident(part);
    }
    const size_t now = rollup();
    REQUIRE(about(sum, now, now / 50));
    REQUIRE(a.resident("other") <= now / 50 + kMebibyte + tables);
}

// What `plant` changes in the resident bytes of a part.
size_t change(const char* part, const std::function<void()>& plant) {
    const size_t before = account().resident(part);
    plant();
    const account after;
    require_that_it_adds_up(after);
    return after.resident(part) - before;
}

void* get(size_t size, size_t touched) {
    void* p = std::malloc(size);
    REQUIRE(p != nullptr);
    std::memset(p, 1, touched);
    asm volatile("" : : "r"(p) : "memory"); // somebody may read it
    return p;
}

// Not on the heap.
void** table(size_t count) {
    void* at =
        mmap(nullptr, count * sizeof(void*), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(at != MAP_FAILED);
    tables += count * sizeof(void*);
    return static_cast<void**>(at);
}

} // namespace

PROMISE(the_account_has_live_objects_and_what_is_free_between_them) {
    constexpr size_t count = 200'000;
    void** all = table(count);
    REQUIRE(about(change("live",
                         [&] {
                             for (size_t i = 0; i < count; ++i) {
                                 all[i] = get(160, 160);
                             }
                         }),
                  count * 160, kMebibyte / 4));
    // Each second one: no page is free as a whole, and magazines have a few.
    const size_t freed = change("slab_free", [&] {
        for (size_t i = 0; i < count; i += 2) {
            std::free(all[i]);
        }
        malloc_trim(0);
    });
    REQUIRE(about(freed, count / 2 * 160, kMebibyte / 4));
    const account a;
    REQUIRE(about(a.resident("cached"), 0, kMebibyte / 8));
    // Then what lies on whole pages: that is not resident, and named as what has been returned.
    const size_t before = a.resident("slab_free");
    for (size_t i = 1; i < count * 9 / 10; i += 2) {
        std::free(all[i]);
    }
    malloc_trim(0);
    const account b;
    require_that_it_adds_up(b);
    REQUIRE(b.resident("slab_free") < before / 4);
    REQUIRE(about(b.resident("live"), count / 20 * 160, kMebibyte / 2));
}

PROMISE(the_account_has_only_the_touched_pages_of_runs_and_huge_blocks) {
    REQUIRE(about(change("live", [] { get(1'500'000, 100 * kPage); }), 100 * kPage, 4 * kPage));
    REQUIRE(about(change("live", [] { get(20 * kMebibyte, 1000 * kPage); }), 1000 * kPage, 4 * kPage));
    void* huge = nullptr;
    REQUIRE(
        about(change("huge", [&] { huge = get(300 * kMebibyte, 5000 * kPage); }), 5000 * kPage, 4 * kPage));
    REQUIRE(about(account().bytes("huge"), 300 * kMebibyte, 4 * kPage));
    // Read only, and therefore all the same page of zeros, which isn't resident.
    volatile const char* zeros = static_cast<volatile const char*>(std::calloc(1, 30 * kMebibyte));
    REQUIRE(about(change("live",
                         [&] {
                             for (size_t i = 0; i < 30 * kMebibyte; i += kPage) {
                                 REQUIRE(zeros[i] == 0);
                             }
                         }),
                  0, kMebibyte / 4));
    std::free(huge);
    require_that_it_adds_up(account());
}

PROMISE(the_account_has_what_is_free_and_still_in_memory) {
    setenv("LOWTIDE_CONF", "decay:-1,dirty_cap:1G", 1);
    require_success(run_part("keeps_free_runs"));
}

PART(keeps_free_runs) {
    void** all = table(40);
    for (int i = 0; i < 40; ++i) {
        all[i] = get(kMebibyte * 3, kMebibyte * 3);
    }
    const size_t before = account().resident("run_free");
    for (int i = 0; i < 40; ++i) {
        std::free(all[i]);
    }
    const account a;
    require_that_it_adds_up(a);
    // One may be kept by the row for the next of its size.
    REQUIRE(about(a.resident("run_free") + a.resident("cached"), before + 120 * kMebibyte, kMebibyte));
}

PROMISE(the_account_has_magazines) {
    void** all = table(400);
    for (int i = 0; i < 400; ++i) {
        all[i] = get(1000, 1000);
    }
    const size_t cached = change("cached", [&] {
        for (int i = 0; i < 50; ++i) {
            std::free(all[i]);
        }
    });
    REQUIRE(cached >= 20 * 1024 && cached <= 200 * 1024);
}

PROMISE(the_account_has_pools_and_heaps_by_name) {
    for (const size_t block : {kPage * 4, kMebibyte * 2, kMebibyte * 5}) {
        lowtide_block_pool_options options{};
        options.size = sizeof(options);
        options.name = "bo\"dies\n\\\x80";
        options.block_size = block;
        options.small_pages = 1;
        lowtide_block_pool* pool = lowtide_block_pool_create(&options);
        REQUIRE(pool != nullptr);
        void* blocks[8];
        REQUIRE(about(change("pool_taken",
                             [&] {
                                 for (void*& b : blocks) {
                                     b = lowtide_block_pool_take(pool, "test");
                                     std::memset(b, 1, block);
                                 }
                             }),
                      8 * block, 0));
        REQUIRE(about(change("pool_free",
                             [&] {
                                 for (int i = 0; i < 4; ++i) {
                                     lowtide_block_pool_give(pool, blocks[i]);
                                 }
                             }),
                      4 * block, 0));
    }
    REQUIRE(std::strstr(account().text(), R"({"name":"bo\"dies?\\?","block_bytes":16384,"taken":4,)") !=
            nullptr);
    lowtide_heap* heap = lowtide_heap_create("words");
    REQUIRE(about(change("heap_live",
                         [&] {
                             for (int i = 0; i < 10'000; ++i) {
                                 std::memset(lowtide_heap_malloc(heap, 400), 1, 400);
                             }
                             std::memset(lowtide_heap_malloc(heap, 500'000), 1, 30 * kPage);
                         }),
                  10'000 * 416 + 30 * kPage, 100'000));
    REQUIRE(std::strstr(account().text(), R"({"name":"words","live":10001,)") != nullptr);
}

PROMISE(the_account_adds_up_while_threads_work) {
    const workload::busy_threads threads(3);
    for (int i = 0; i < 200; ++i) {
        const account a;
        size_t sum = 0;
        for (const char* part : parts) {
            sum += a.resident(part);
        }
        // Of another moment each: that there is no nonsense is what can be said.
        REQUIRE(sum >= a.all() && sum < a.all() + 200 * kMebibyte);
        REQUIRE(std::strstr(a.text(), "\"unnamed\":") != nullptr);
    }
}

PROMISE(a_child_of_fork_has_an_account_of_its_own) {
    get(10 * kMebibyte, 10 * kMebibyte);
    const pid_t child = fork_guarded();
    if (child == 0) {
        REQUIRE(
            about(change("live", [] { get(5 * kMebibyte, 5 * kMebibyte); }), 5 * kMebibyte, kMebibyte / 4));
        _exit(0);
    }
    require_success(child);
}

PROMISE(the_account_says_what_it_cannot_do) {
    errno = 0;
    REQUIRE(lowtide_account_print(1, 7) == -1 && errno == EINVAL);
    errno = 0;
    REQUIRE(lowtide_account_print(-1, LOWTIDE_ACCOUNT_JSON) == -1 && errno == EIO);
    const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    errno = 0;
    REQUIRE(lowtide_account_print(full, LOWTIDE_ACCOUNT_OPENMETRICS) == -1 && errno == EIO);
    close(full);
}
