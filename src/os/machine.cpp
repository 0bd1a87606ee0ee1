#include "os/machine.h"

#include "os/syscall.h"
#include "os/thread.h"
#include "os/vm.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

namespace lowtide::os {

namespace {

constexpr size_t affinity_bytes = 1024; // 8192 processors, the most a kernel can be configured for

struct affinity {
    alignas(8) unsigned char bits[affinity_bytes]{};
    long length = 0; // bytes the kernel's masks have, or -errno
};

affinity read_affinity() noexcept {
    affinity mask;
    mask.length = system_call(SYS_sched_getaffinity, 0, affinity_bytes, reinterpret_cast<long>(mask.bits));
    return mask;
}

} // namespace

unsigned possible_cpus() noexcept {
    // "0-3" or "0-3,8-11": the last number is the highest id.
    char text[128];
    const long length = read_file("/sys/devices/system/cpu/possible", text, sizeof(text));
    unsigned last = 0;
    bool digits = false;
    for (long i = 0; i < length && text[i] != '\n'; ++i) {
        const bool digit = text[i] >= '0' && text[i] <= '9';
        last = digit ? (digits ? last * 10 : 0) + static_cast<unsigned>(text[i] - '0') : last;
        digits = digit;
    }
    if (length > 0)
        return last + 1;
    const affinity mask = read_affinity(); // no /sys here: the width of the kernel's masks bounds the ids
    return failed(mask.length) ? 0 : static_cast<unsigned>(mask.length) * 8;
}

unsigned usable_cpus() noexcept {
    const affinity mask = read_affinity();
    unsigned count = 0;
    for (long i = 0; i < mask.length; ++i)
        count += count_bits(mask.bits[i]);
    return count == 0 ? 1 : count;
}

[[gnu::always_inline]] static inline timespec now_of(clockid_t clock) noexcept {
    timespec now{};
    if (lowtide_thread
            .lone) // the program may have a clock_gettime of its own, which needs a thread of libc's
        system_call(SYS_clock_gettime, clock, reinterpret_cast<long>(&now));
    else
        clock_gettime(clock, &now); // vDSO; can't fail with these arguments
    return now;
}

static uint64_t nanoseconds(const timespec& t) noexcept {
    return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
}

uint64_t now_ms() noexcept {
    const timespec now = now_of(CLOCK_MONOTONIC_COARSE);
    return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1000000;
}

uint64_t now_ns() noexcept {
    return nanoseconds(now_of(CLOCK_MONOTONIC));
}

uint64_t unix_ns() noexcept {
    return nanoseconds(now_of(CLOCK_REALTIME));
}

static uint64_t time_us(clockid_t clock) noexcept {
    timespec now{};
    system_call(SYS_clock_gettime, clock, reinterpret_cast<long>(&now));
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
}

uint64_t process_cpu_us() noexcept {
    return time_us(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t thread_cpu_us() noexcept {
    return time_us(CLOCK_THREAD_CPUTIME_ID);
}

void yield() noexcept {
    system_call(SYS_sched_yield);
}

// A lone thread has a table of descriptors of its own, without any (lone_thread.h): a copy of the program's
// standard error would keep a pipe open that everybody has closed.
static int borrow_standard_error() noexcept {
    const long process = system_call(SYS_pidfd_open, system_call(SYS_getpid), 0);
    const long fd = failed(process) ? process : system_call(SYS_pidfd_getfd, process, 2, 0);
    return failed(fd) ? 2 : static_cast<int>(fd);
}

bool write_all(int fd, const char* text, size_t length) noexcept {
    if (fd == 2 && lowtide_thread.lone) // the process is about to end, so it needn't be closed
        fd = borrow_standard_error();
    while (length > 0) {
        const long wrote =
            system_call(SYS_write, fd, reinterpret_cast<long>(text), static_cast<long>(length));
        if (wrote == -EINTR)
            continue;
        if (failed(wrote) || wrote == 0)
            return false;
        text += wrote;
        length -= static_cast<size_t>(wrote);
    }
    return true;
}

bool exists(const char* path) noexcept {
    return system_call(SYS_faccessat, AT_FDCWD, reinterpret_cast<long>(path), F_OK) == 0;
}

long read_all(int fd, char* to, size_t size) noexcept {
    size_t total = 0;
    long got = 0;
    while (total < size) {
        got = system_call(SYS_read, fd, reinterpret_cast<long>(to + total), static_cast<long>(size - total));
        if (got == -EINTR)
            continue;
        if (failed(got) || got == 0)
            break;
        total += static_cast<size_t>(got);
    }
    return failed(got) ? got : static_cast<long>(total);
}

long read_file(const char* path, char* to, size_t size) noexcept {
    const auto fd = static_cast<int>(
        system_call(SYS_openat, AT_FDCWD, reinterpret_cast<long>(path), O_RDONLY | O_CLOEXEC));
    if (fd < 0)
        return fd;
    const long length = read_all(fd, to, size);
    close_file(fd);
    return length;
}

int create_file(const char* path) noexcept {
    return static_cast<int>(system_call(SYS_openat, AT_FDCWD, reinterpret_cast<long>(path),
                                        O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
}

void close_file(int fd) noexcept {
    system_call(SYS_close, fd);
}

size_t address_space_limit() noexcept {
    rlimit space{};
    const bool known = !failed(system_call(SYS_prlimit64, 0, RLIMIT_AS, 0, reinterpret_cast<long>(&space)));
    return known && space.rlim_cur != RLIM_INFINITY ? space.rlim_cur : SIZE_MAX;
}

size_t attainable_memory() noexcept {
    size_t bytes = address_space_limit();
    struct sysinfo all {};
    size_t memory = 0;
    if (!failed(system_call(SYS_sysinfo, reinterpret_cast<long>(&all))) &&
        !__builtin_mul_overflow(all.totalram + all.totalswap, size_t{all.mem_unit}, &memory) &&
        memory < bytes)
        bytes = memory;
    return bytes;
}

size_t number_behind(std::string_view text, std::string_view key) noexcept {
    const size_t at = text.find(key);
    size_t number = 0;
    for (size_t i = at == text.npos ? text.size() : at + key.size(); i < text.size() && text[i] != '\n'; ++i)
        if (text[i] >= '0' && text[i] <= '9')
            number = number * 10 + static_cast<size_t>(text[i] - '0');
    return number;
}

bool memory_is_scarce() noexcept {
    char text[512]; // both are among the first lines
    const long length = read_file("/proc/meminfo", text, sizeof(text));
    const std::string_view all(text, length > 0 ? static_cast<size_t>(length) : 0);
    const size_t total = number_behind(all, "MemTotal:");
    return total != 0 && all.find("MemAvailable:") != all.npos &&
           number_behind(all, "MemAvailable:") < total / 10;
}

size_t anonymous_resident_bytes() noexcept {
    char text[128]; // "size resident shared …", in pages
    const long length = read_file("/proc/self/statm", text, sizeof(text));
    size_t numbers[3] = {};
    size_t found = 0;
    for (long i = 0; i < length && found < 3; ++i) {
        if (text[i] >= '0' && text[i] <= '9')
            numbers[found] = numbers[found] * 10 + static_cast<size_t>(text[i] - '0');
        else
            ++found;
    }
    return found < 3 || numbers[2] > numbers[1] ? SIZE_MAX : (numbers[1] - numbers[2]) * page_size();
}

size_t process_id() noexcept {
    return static_cast<size_t>(system_call(SYS_getpid));
}

usage process_usage() noexcept {
    rusage use{};
    system_call(SYS_getrusage, RUSAGE_SELF, reinterpret_cast<long>(&use));
    return {static_cast<size_t>(use.ru_maxrss) * 1024, static_cast<size_t>(use.ru_minflt),
            static_cast<size_t>(use.ru_majflt)};
}

void exit_at_once(int status) noexcept {
    _exit(status);
}

// A handler of the program's can't run on a thread that libc doesn't know: there the signal does what it does
// by default.
[[gnu::cold]] static void abort_from_lone_thread() noexcept {
    struct {
        void* handler = nullptr; // SIG_DFL; as the kernel has it
        unsigned long flags = 0;
        void* restorer = nullptr;
        uint64_t mask = 0;
    } by_default;
    const uint64_t abort_only = uint64_t{1} << (SIGABRT - 1);
    system_call(SYS_rt_sigaction, SIGABRT, reinterpret_cast<long>(&by_default), 0, sizeof(abort_only));
    system_call(SYS_rt_sigprocmask, SIG_UNBLOCK, reinterpret_cast<long>(&abort_only), 0, sizeof(abort_only));
    system_call(SYS_tgkill, system_call(SYS_getpid), system_call(SYS_gettid), SIGABRT);
}

void abort_process() noexcept {
    if (lowtide_thread.lone)
        abort_from_lone_thread();
    abort();
}

void abort_process(std::string_view line) noexcept {
    write_all(2, line.data(), line.size());
    abort_process();
}

} // namespace lowtide::os
