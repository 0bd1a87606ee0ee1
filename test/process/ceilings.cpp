// What the process may hold: the options `limit` and `hard_limit`, and a control group's limit. Under a soft
// limit free memory goes back before more is taken; at the hard one there is none, and the program goes on.
#include "harness.h"
#include "workload.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <vector>

using namespace harness;
using namespace workload;

namespace {

constexpr size_t MiB = 1u << 20;

// Blocks until there are no more, or so many bytes; written throughout.
class blocks {
public:
    explicit blocks(size_t size) : size_(size) {}
    ~blocks() { free_all(); }
    blocks(const blocks&) = delete;
    blocks& operator=(const blocks&) = delete;

    size_t fill(size_t at_most) {
        for (size_t total = 0; total + size_ <= at_most; total += size_) {
            void* p = std::malloc(size_);
            if (p == nullptr) {
                return total;
            }
            std::memset(p, 1, size_);
            all_.push_back(p);
        }
        return at_most / size_ * size_;
    }
    void free_every_second() {
        for (size_t i = 0; i < all_.size(); i += 2) {
            std::free(all_[i]);
            all_[i] = nullptr;
        }
    }
    void free_all() {
        for (void* p : all_) {
            std::free(p);
        }
        all_.clear();
    }

private:
    size_t size_;
    std::vector<void*> all_;
};

size_t peak_resident_bytes() {
    rusage use{}; // without malloc: there may be no memory
    REQUIRE(getrusage(RUSAGE_SELF, &use) == 0);
    return static_cast<size_t>(use.ru_maxrss) * 1024;
}

// Without huge pages that the kernel gives unasked: what is held would not be what is resident.
launch with(const char* configuration) {
    return {.environment = {std::string("LOWTIDE_CONF=") + configuration},
            .prepare = [] { REQUIRE(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0); }};
}

// ---- control groups

// A group of its own for a child, with a limit on memory; made where this user may.
class group {
public:
    static group* current;

    explicit group(size_t limit) {
        const std::string bytes = std::to_string(limit);
        const std::string name = "/lowtide-test-" + std::to_string(getpid());
        const bool made =
            make(own_folder("memory", "/sys/fs/cgroup/memory") + name, "memory.limit_in_bytes", bytes) ||
            make(own_folder("", "/sys/fs/cgroup") + name, "memory.max", bytes);
        if (!made) {
            skip("no control group with a limit on memory can be made here");
        }
        write(folder_ + "/memory.swap.max", "0");
        current = this;
    }
    ~group() {
        current = nullptr;
        rmdir(folder_.c_str());
    }
    group(const group&) = delete;
    group& operator=(const group&) = delete;

    // What the kernel counts for the group that this process is in.
    static size_t charged_bytes() {
        size_t bytes = 0;
        std::ifstream version_1(own_folder("memory", "/sys/fs/cgroup/memory") + "/memory.usage_in_bytes");
        std::ifstream version_2(own_folder("", "/sys/fs/cgroup") + "/memory.current");
        REQUIRE(version_1 >> bytes || version_2 >> bytes);
        return bytes;
    }

    // In a child, before it executes the program.
    static void enter() { REQUIRE(write(current->folder_ + "/cgroup.procs", "0")); }

private:
    static std::string own_folder(const std::string& controller, const std::string& mount) {
        std::ifstream groups("/proc/self/cgroup");
        for (std::string line; std::getline(groups, line);) {
            const size_t first = line.find(':');
            const size_t second = line.find(':', first + 1);
            if (line.substr(first + 1, second - first - 1) == controller) {
                return mount + line.substr(second + 1);
            }
        }
        return mount;
    }
    bool make(const std::string& folder, const char* file, const std::string& bytes) {
        if (mkdir(folder.c_str(), 0755) != 0) {
            return false;
        }
        if (write(folder + "/" + file, bytes)) {
            folder_ = folder;
            return true;
        }
        rmdir(folder.c_str());
        return false;
    }
    static bool write(const std::string& file, const std::string& text) {
        const int fd = open(file.c_str(), O_WRONLY);
        const bool written =
            fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
        if (fd >= 0) {
            close(fd);
        }
        return written;
    }
    std::string folder_;
};
group* group::current = nullptr;

// What one size leaves in pieces doesn't serve the next: never more than 50 MiB live, 75 in memory if nothing
// goes back.
void use_in_pieces() {
    blocks pieces(120'000);
    pieces.fill(50 * MiB);
    pieces.free_every_second();
    blocks large(1'500'000);
    REQUIRE(large.fill(24 * MiB) == 24 * MiB / 1'500'000 * 1'500'000);
}

void* use_in_pieces_in_thread(void*) {
    use_in_pieces();
    return nullptr;
}

} // namespace

PART(fill_to_the_hard_limit) {
    for (const size_t size : {size_t{64}, size_t{5000}, size_t{100'000}, 3 * MiB, 70 * MiB, size_t{64}}) {
        blocks all(size);
        errno = 0;
        const size_t bytes = all.fill(1024 * MiB);
        REQUIRE(errno == ENOMEM);
        REQUIRE(bytes < 100 * MiB);
        REQUIRE(bytes >= 60 * MiB);
        REQUIRE(peak_resident_bytes() < 110 * MiB);
        REQUIRE(std::calloc(1, 90 * MiB) == nullptr);
        REQUIRE(std::aligned_alloc(4 * MiB, 72 * MiB) == nullptr);
    }
}

PROMISE(at_the_hard_limit_there_is_no_memory_and_what_is_freed_serves_any_size) {
    require_success(run_part("fill_to_the_hard_limit", with("hard_limit:100M")));
    require_success(run_part("fill_to_the_hard_limit", with("hard_limit:100M,background:always")));
    require_success(run_part("fill_to_the_hard_limit", with("hard_limit:100M,rseq:false,huge_pages:false")));
}

PART(grow_to_the_hard_limit) {
    for (const size_t start : {size_t{1000}, size_t{200'000}, 80 * MiB}) {
        void* p = acquire(start, 7);
        REQUIRE(std::realloc(p, 150 * MiB) == nullptr);
        REQUIRE(errno == ENOMEM);
        require_intact(p);
        release(p);
    }
    churn many(1);
    many.run(10'000);
}

PROMISE(realloc_that_would_pass_the_hard_limit_leaves_the_block_as_it_was) {
    require_success(run_part("grow_to_the_hard_limit", with("hard_limit:100M")));
}

PART(pieces_within_58_mib) {
    const size_t before = peak_resident_bytes();
    use_in_pieces();
    REQUIRE(peak_resident_bytes() < before + 58 * MiB);
}

PART(pieces_beyond_70_mib) {
    const size_t before = peak_resident_bytes();
    use_in_pieces();
    REQUIRE(peak_resident_bytes() >= before + 70 * MiB);
}

PROMISE(under_a_soft_limit_what_is_free_goes_back_before_more_is_taken) {
    require_success(run_part("pieces_within_58_mib", with("limit:56M")));
    require_success(run_part("pieces_within_58_mib", with("limit:56M,background:always")));
    require_success(run_part("pieces_beyond_70_mib", with("limit:0")));
}

PART(need_more_than_the_limit) {
    blocks all(2000);
    REQUIRE(all.fill(60 * MiB) >= 59 * MiB);
    use_every_size();
    churn many(1);
    many.run(100'000);
}

PROMISE(a_soft_limit_that_the_program_itself_needs_stops_nothing) {
    for (const char* configuration :
         {"limit:1", "limit:10M", "limit:10M,background:always", "limit:10M,rseq:false"}) {
        require_success(run_part("need_more_than_the_limit", with(configuration)));
    }
}

PART(pieces_in_a_group) {
    use_in_pieces();
}

PART(pieces_in_a_group_with_threads) {
    for (int i = 0; i < 3; ++i) {
        join_thread(start_thread(use_in_pieces_in_thread, nullptr));
    }
}

PROMISE(a_program_survives_in_a_control_group_that_holds_little_more_than_it_needs) {
    const group of_64_mib(64 * MiB);
    launch inside{.environment = {"LOWTIDE_CONF=pressure:false"}, .prepare = group::enter};
    REQUIRE(run_part("pieces_in_a_group", inside).killed_by(SIGKILL));
    for (const char* part : {"pieces_in_a_group", "pieces_in_a_group_with_threads"}) {
        for (const char* configuration : {"", "background:never", "rseq:false"}) {
            inside.environment = {std::string("LOWTIDE_CONF=") + configuration};
            require_success(run_part(part, inside));
        }
    }
}

PART(uses_much_once) {
    blocks(5000).fill(120 * MiB);
    REQUIRE(resident_bytes() < 30 * MiB); // nobody will call later
}

PART(uses_much_once_and_keeps_it) {
    blocks(5000).fill(120 * MiB);
    REQUIRE(resident_bytes() > 40 * MiB); // it may be needed again
}

PROMISE(a_process_with_one_thread_leaves_others_of_its_control_group_what_it_no_longer_needs) {
    const group of_256_mib(256 * MiB);
    launch inside = with("");
    inside.prepare = group::enter;
    require_success(run_part("uses_much_once", inside));
    require_success(run_part("uses_much_once_and_keeps_it", with("pressure:false")));
}

PART(returns_most_of_what_it_took_fast) {
    std::vector<void*> all;
    for (size_t i = 0; i < 100 * MiB / 4096; ++i) {
        all.push_back(std::memset(std::malloc(4096), 1, 4096));
    }
    for (size_t i = 0; i < all.size(); ++i) {
        if (i % 64 != 0) {
            std::free(all[i]);
        }
    }
    malloc_trim(0);
    REQUIRE(resident_bytes() < 16 * MiB);
    REQUIRE(group::charged_bytes() < 32 * MiB);
}

// Of a huge page of which a part has gone back all is charged, until it is split.
PROMISE(what_has_gone_back_is_not_charged_to_the_control_group_any_more) {
    const group of_512_mib(512 * MiB);
    require_success(run_part("returns_most_of_what_it_took_fast", {.prepare = group::enter}));
}
