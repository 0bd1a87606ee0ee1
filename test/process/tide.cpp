// Memory goes back in a process that makes no call, and the thread that does it is in nobody's way. No test
// asks how long that takes: each waits until it has happened.
#include "filter.h"
#include "harness.h"
#include "workload.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <vector>

using namespace harness;
using namespace workload;

namespace {

constexpr size_t kMebibyte = 1u << 20;

void wait_a_little() {
    usleep(20'000);
}

// A second thread, so that the process has threads, which makes no call while it waits.
class bystander {
public:
    bystander() : thread_(start_thread(wait, this)) { started_.wait(false); }
    ~bystander() {
        stop_ = true;
        stop_.notify_one();
        join_thread(thread_);
    }
    bystander(const bystander&) = delete;
    bystander& operator=(const bystander&) = delete;

private:
    static void* wait(void* self) {
        auto& me = *static_cast<bystander*>(self);
        me.started_ = true;
        me.started_.notify_one();
        me.stop_.wait(false);
        return nullptr;
    }
    std::atomic<bool> started_{false};
    std::atomic<bool> stop_{false};
    pthread_t thread_;
};

// Blocks of one size, written throughout, in a table that isn't on the heap.
class blocks {
public:
    blocks(size_t count, size_t size)
        : count_(count), size_(size),
          all_(static_cast<void**>(mmap(nullptr, count * sizeof(void*), PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
        REQUIRE(all_ != MAP_FAILED);
        for (size_t i = 0; i < count_; ++i) {
            all_[i] = std::malloc(size_);
            REQUIRE(all_[i] != nullptr);
            std::memset(all_[i], fill(i), size_);
        }
    }
    ~blocks() {
        free_all_but_one_in(0);
        munmap(all_, count_ * sizeof(void*));
    }
    blocks(const blocks&) = delete;
    blocks& operator=(const blocks&) = delete;

    // Which ones stay is random; 0: none does.
    void free_all_but_one_in(size_t share) {
        generator random(share);
        for (size_t i = 0; i < count_; ++i) {
            if (share == 0 || random.below(share) != 0) {
                std::free(all_[i]);
                all_[i] = nullptr;
            }
        }
    }
    // The pages that the blocks which are left lie on, in bytes.
    size_t least_resident() const {
        size_t pages = 0;
        std::vector<uintptr_t> touched;
        for (size_t i = 0; i < count_; ++i) {
            const auto at = reinterpret_cast<uintptr_t>(all_[i]);
            for (uintptr_t page = at / 4096; all_[i] != nullptr && page <= (at + size_ - 1) / 4096; ++page) {
                touched.push_back(page);
            }
        }
        std::sort(touched.begin(), touched.end());
        pages = static_cast<size_t>(std::unique(touched.begin(), touched.end()) - touched.begin());
        return pages * 4096;
    }
    void require_intact() const {
        for (size_t i = 0; i < count_; ++i) {
            const auto* bytes = static_cast<const unsigned char*>(all_[i]);
            REQUIRE(bytes == nullptr || (bytes[0] == fill(i) && bytes[size_ - 1] == fill(i)));
        }
    }

private:
    static unsigned char fill(size_t i) { return static_cast<unsigned char>(i % 251 + 1); }
    size_t count_;
    size_t size_;
    void** all_;
};

// No call of the allocator is made meanwhile.
void wait_until_resident(size_t at_most) {
    while (resident_bytes() > at_most) {
        wait_a_little();
    }
}

// Takes much and gives it all back, so that there is something to return.
void make_something_to_return() {
    blocks(20'000, 1000).free_all_but_one_in(0);
}

// The thread's id, or 0 where there is none.
int background_thread() {
    int found = 0;
    DIR* tasks = opendir("/proc/self/task");
    REQUIRE(tasks != nullptr);
    while (const dirent* task = readdir(tasks)) {
        char path[300];
        std::snprintf(path, sizeof(path), "/proc/self/task/%s/comm", task->d_name);
        char name[32] = "";
        const int fd = open(path, O_RDONLY);
        if (fd >= 0 && read(fd, name, sizeof(name) - 1) > 0 && std::strcmp(name, "lowtide\n") == 0) {
            found = std::atoi(task->d_name);
        }
        if (fd >= 0) {
            close(fd);
        }
    }
    closedir(tasks);
    return found;
}

int wait_for_background_thread() {
    for (;;) {
        make_something_to_return();
        if (const int id = background_thread()) {
            return id;
        }
        wait_a_little();
    }
}

// Short enough not to be allocated.
std::string status_line(int task, const char* key) {
    char path[64];
    std::snprintf(path, sizeof(path), "/proc/self/task/%d/status", task);
    char text[4096] = "";
    const int fd = open(path, O_RDONLY);
    REQUIRE(fd >= 0);
    REQUIRE(read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    const char* line = std::strstr(text, key);
    REQUIRE(line != nullptr);
    return {line, std::strcspn(line, "\n")};
}

} // namespace

PROMISE(memory_goes_back_in_a_process_that_makes_no_call) {
    const bystander other;
    make_something_to_return();
    const size_t before = resident_bytes();
    {
        blocks small(1'000'000, 120);
        small.free_all_but_one_in(0);
        wait_until_resident(before + 16 * kMebibyte); // the table is still there
    }
    wait_until_resident(before + 8 * kMebibyte);
    std::vector<std::vector<char>> medium(200);
    for (auto& each : medium) {
        each.assign(500'000, 'x');
    }
    medium = {};
    wait_until_resident(before + 8 * kMebibyte);
    for (int i = 0; i < 2; ++i) {
        std::vector<char>(100 * kMebibyte, 'x')
            .assign(1, 'y'); // the second one finds the first one's mapping
    }
    wait_until_resident(before + 8 * kMebibyte);
}

PROMISE(pages_of_free_objects_go_back_from_between_those_in_use) {
    const bystander other;
    make_something_to_return();
    for (const size_t size : {size_t{32}, size_t{256}, size_t{1024}, size_t{4096}, size_t{16'384}}) {
        malloc_trim(0);
        const size_t before = resident_bytes();
        blocks all(std::min<size_t>(60 * kMebibyte / size, 400'000), size);
        all.free_all_but_one_in(64);
        const size_t least = all.least_resident();
        wait_until_resident(before + least + least / 10 + 8 * kMebibyte);
        all.require_intact();
    }
}

PROMISE(what_was_returned_is_usable_again) {
    const bystander other;
    for (int round = 0; round < 3; ++round) {
        const size_t before = resident_bytes();
        blocks all(100'000, 400);
        all.free_all_but_one_in(50);
        wait_until_resident(before + 24 * kMebibyte);
        blocks more(100'000, 400); // fills the gaps
        all.require_intact();
        more.require_intact();
    }
}

PROMISE(the_background_thread_starts_only_where_it_is_wanted) {
    make_something_to_return();
    REQUIRE(background_thread() == 0); // one thread needs no other
    require_success(run_part("has_a_background_thread", {.environment = {"LOWTIDE_CONF=background:always"}}));
    require_success(run_part("has_none_with_threads", {.environment = {"LOWTIDE_CONF=background:never"}}));
    const bystander other;
    wait_for_background_thread();
}

PART(has_a_background_thread) {
    wait_for_background_thread();
}

PART(has_none_with_threads) {
    const bystander other;
    for (int i = 0; i < 50; ++i) {
        make_something_to_return();
        wait_a_little();
    }
    REQUIRE(background_thread() == 0);
}

// Without the thread the program's own slow calls do the same.
PROMISE(without_a_thread_memory_goes_back_at_later_calls) {
    require_success(run_part("returns_at_calls", {.environment = {"LOWTIDE_CONF=background:never"}}));
}

PART(returns_at_calls) {
    const bystander other;
    const size_t before = resident_bytes();
    blocks all(200'000, 400);
    all.free_all_but_one_in(64);
    const size_t least = all.least_resident();
    while (resident_bytes() > before + least + least / 10 + 8 * kMebibyte) {
        blocks(2000, 64).free_all_but_one_in(0);
        wait_a_little();
    }
    all.require_intact();
}

// As a program may have itself confined: what isn't allowed ends it. The thread needs no more than malloc
// does anyway, and a name.
PROMISE(the_background_thread_gets_along_with_a_filter_that_kills) {
    const pid_t child = fork_guarded();
    if (child == 0) {
        filter::kill(
            {SYS_sched_setscheduler, SYS_sched_getaffinity, SYS_sched_setaffinity, SYS_process_madvise});
        const bystander other;
        wait_for_background_thread();
        const size_t before = resident_bytes();
        blocks(100'000, 400).free_all_but_one_in(0);
        wait_until_resident(before + 16 * kMebibyte);
        _exit(0);
    }
    require_success(child);
}

// It looks at files for huge pages, limits and requests only.
PROMISE(the_background_thread_gets_along_with_a_filter_that_kills_who_opens_files) {
    require_success(run_part(
        "may_open_no_file", {.environment = {"LOWTIDE_CONF=huge_pages:false,pressure:false,control:false"}}));
}

PART(may_open_no_file) {
    const size_t before = resident_bytes();
    const int statm = open("/proc/self/statm", O_RDONLY);
    REQUIRE(statm >= 0);
    filter::kill({SYS_openat, SYS_open, SYS_pread64, SYS_faccessat, SYS_access});
    const bystander other;
    {
        const blocks large(200, 1 << 20);
        blocks(100'000, 400).free_all_but_one_in(0);
        usleep(600'000);
    }
    make_something_to_return();
    for (size_t pages = before; pages * 4096 > before + 16 * kMebibyte;) {
        char text[128] = "";
        REQUIRE(lseek(statm, 0, SEEK_SET) == 0 && read(statm, text, sizeof(text) - 1) > 0);
        REQUIRE(std::sscanf(text, "%*u %zu", &pages) == 1);
        wait_a_little();
    }
    _exit(0);
}

PROMISE(the_background_thread_gets_no_signal) {
    const bystander other;
    const int id = wait_for_background_thread();
    // All but those that can't be blocked.
    const std::string blocked = status_line(id, "SigBlk:");
    REQUIRE(blocked.find("fffffffffffbfeff") != blocked.npos);
}

PROMISE(a_process_ends_with_the_last_thread_that_the_program_knows) {
    const pid_t child = fork_guarded();
    if (child == 0) {
        pthread_t last = start_thread(
            [](void*) -> void* {
                wait_for_background_thread();
                usleep(100'000);
                return nullptr;
            },
            nullptr);
        pthread_detach(last);
        pthread_exit(nullptr);
    }
    require_success(child);
}

PROMISE(a_child_of_fork_has_no_background_thread_until_it_needs_one) {
    const bystander other;
    wait_for_background_thread();
    for (int i = 0; i < 20; ++i) {
        make_something_to_return();
        const pid_t child = fork_guarded();
        if (child == 0) {
            // By no means that allocates: glibc doesn't say that a child has one thread again.
            REQUIRE(status_line(getpid(), "Threads:") == "Threads:\t1");
            const size_t before = resident_bytes();
            const bystander its_own;
            wait_for_background_thread();
            blocks(200'000, 120).free_all_but_one_in(0);
            wait_until_resident(before + 16 * kMebibyte);
            _exit(0);
        }
        require_success(child);
    }
}

// The first slow call of the child is the first to notice that it is one, and starts the thread.
PROMISE(a_child_of_fork_may_need_the_background_thread_at_its_first_call) {
    { const bystander other; } // from here on glibc says that there are threads; the library hasn't asked
    for (int i = 0; i < 200; ++i) {
        const pid_t child = fork_guarded();
        if (child == 0) {
            void* large = std::malloc(300'000); // no magazine has it
            REQUIRE(large != nullptr);
            std::free(large);
            wait_for_background_thread();
            std::exit(0);
        }
        require_success(child);
    }
}

// The thread would be the child's, and end with it. (Among threads a child of vfork may only allocate where
// the caches are locked: see spawn.cpp.)
PROMISE(a_vfork_child_that_allocates_leaves_the_background_thread_to_its_parent) {
    require_success(run_part("lets_a_vfork_child_allocate", {.environment = {"LOWTIDE_CONF=rseq:false"}}));
}

PART(lets_a_vfork_child_allocate) {
    const bystander other;
    wait_for_background_thread();
    const pid_t parent = fork_guarded(); // it has none, and the next slow call starts one
    if (parent == 0) {
        const pid_t child = vfork();
        if (child == 0) {
            for (int i = 0; i < 1000; ++i) {
                std::free(std::malloc(100'000));
            }
            _exit(0);
        }
        require_success(child);
        wait_for_background_thread();
        _exit(0);
    }
    require_success(parent);
}

PROMISE(the_background_thread_follows_a_process_that_gives_up_its_rights) {
    if (geteuid() != 0) {
        skip("only root can change its ids");
    }
    const pid_t child = fork_guarded();
    if (child == 0) {
        const bystander other;
        wait_for_background_thread();
        REQUIRE(setgroups(0, nullptr) == 0 && setresgid(65534, 65534, 65534) == 0 &&
                setresuid(65534, 65534, 65534) == 0);
        const std::string own = status_line(static_cast<int>(syscall(SYS_gettid)), "Uid:");
        // It looks round after some time without a call: how long that takes is the machine's business.
        for (unsigned tenths = 7; status_line(wait_for_background_thread(), "Uid:") != own; tenths *= 2) {
            usleep(tenths * 100'000);
        }
        _exit(0);
    }
    require_success(child);
}

// What a short burst leaves in caches goes back too, though nothing of it was there when the thread looked
// last.
PROMISE(what_one_call_frees_after_a_long_rest_goes_back) {
    const bystander other;
    make_something_to_return();
    for (int i = 0; i < 4; ++i) {
        usleep(900'000);
        const size_t before = resident_bytes();
        void* once = std::malloc(16 * kMebibyte);
        REQUIRE(once != nullptr);
        std::memset(once, 1, 16 * kMebibyte);
        std::free(once);
        wait_until_resident(before + 2 * kMebibyte);
    }
}

PROMISE(a_process_whose_threads_have_ended_has_no_background_thread) {
    {
        const bystander other;
        wait_for_background_thread();
    }
    while (status_line(getpid(), "Threads:") != "Threads:\t1") {
        wait_a_little();
    }
    const bystander another;
    wait_for_background_thread(); // and has one again when it needs it
}

// For `lowtide trim` and its relatives to be heard.
PROMISE(an_idle_process_with_threads_keeps_its_background_thread) {
    const bystander other;
    wait_for_background_thread();
    sleep(12); // it looks every ten seconds
    REQUIRE(status_line(getpid(), "Threads:") == "Threads:\t3");
}

// The thread waits for a lock then that is never given back.
PROMISE(a_handler_that_has_interrupted_the_allocator_may_exit) {
    for (int i = 0; i < 6; ++i) {
        const pid_t child = fork_guarded();
        if (child == 0) {
            const bystander other;
            wait_for_background_thread();
            signal(SIGPROF, [](int) {
                usleep(300'000);
                std::exit(0);
            });
            const itimerval soon{{0, 0}, {0, 20'000 + i * 1000}};
            REQUIRE(setitimer(ITIMER_PROF, &soon, nullptr) == 0);
            for (;;) {
                std::free(std::malloc(5000));
                malloc_trim(0);
            }
        }
        require_success(child);
    }
}

PROMISE(a_process_may_exit_at_any_moment_of_its_background_thread) {
    for (int i = 0; i < 40; ++i) {
        const pid_t child = fork_guarded();
        if (child == 0) {
            static const bystander* other = new bystander;
            REQUIRE(other != nullptr);
            wait_for_background_thread();
            make_something_to_return();
            usleep(static_cast<useconds_t>(i) * 20'000);
            std::exit(0);
        }
        require_success(child);
    }
}

PART(frees_twice_and_waits) {
    const bystander other;
    wait_for_background_thread();
    void* volatile neighbour = std::malloc(1000); // keeps the slab, if the thread comes between the two
    REQUIRE(neighbour != nullptr);
    void* volatile once = std::malloc(1000);
    void* const twice = once;
    std::free(once);
    std::free(twice); // into a magazine, unchecked
    for (;;) {
        pause();
    }
}

PROMISE(what_the_background_thread_has_to_say_arrives_on_standard_error) {
    const outcome of = run_part("frees_twice_and_waits");
    REQUIRE(of.killed_by(SIGABRT));
    REQUIRE(of.err.find("double free") != std::string::npos);
}

// The thread has a table of descriptors of its own.
PROMISE(what_the_program_closes_is_closed_though_there_is_a_background_thread) {
    const bystander other;
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    wait_for_background_thread();
    close(ends[1]);
    char nothing = 0;
    REQUIRE(read(ends[0], &nothing, 1) == 0);
    close(ends[0]);
}

PROMISE(the_background_thread_takes_no_descriptor_of_the_programs) {
    const bystander other;
    const blocks much(10'000, 2000); // so that limits and pressure are looked at
    wait_for_background_thread();
    const int lowest = dup(0);
    REQUIRE(lowest >= 0);
    close(lowest);
    for (int i = 0; i < 20; ++i) {
        make_something_to_return(); // it goes on looking
        for (int k = 0; k < 100'000; ++k) {
            REQUIRE(dup(0) == lowest);
            close(lowest);
        }
    }
}

namespace {

size_t huge_page_bytes() {
    char text[2048] = "";
    const int fd = open("/proc/self/smaps_rollup", O_RDONLY);
    REQUIRE(fd >= 0);
    REQUIRE(read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    const char* line = std::strstr(text, "AnonHugePages:");
    return line == nullptr ? 0 : std::strtoul(line + std::strlen("AnonHugePages:"), nullptr, 10) * 1024;
}

// As the thread will ask for it.
bool small_pages_become_huge_ones() {
    constexpr size_t bytes = 2 * kMebibyte;
    constexpr int collapse = 25; // MADV_COLLAPSE
    char* const at = static_cast<char*>(
        mmap(nullptr, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(at != MAP_FAILED);
    char* const block = at + (bytes - reinterpret_cast<uintptr_t>(at) % bytes) % bytes;
    std::memset(block, 1, bytes);
    const bool become = madvise(block, bytes, collapse) == 0;
    munmap(at, 2 * bytes);
    return become;
}

} // namespace

PROMISE(what_is_in_use_for_long_gets_huge_pages_and_takes_no_more_memory) {
    if (!small_pages_become_huge_ones()) {
        skip("this system makes no huge pages");
    }
    const bystander other;
    wait_for_background_thread();
    const blocks all(1000, 64 * 1024); // slices, whole ones
    const size_t before = resident_bytes();
    const size_t huge_before = huge_page_bytes();
    while (huge_page_bytes() < huge_before + 4 * kMebibyte) {
        all.require_intact();
    }
    REQUIRE(resident_bytes() < before + kMebibyte);
    all.require_intact();
}
