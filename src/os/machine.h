// What this machine and this process are like: processors, the clock, standard error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lowtide::os {

// Processors the kernel may ever show this process: an upper bound of every cpu id. 0: it can't be known.
unsigned possible_cpus() noexcept;

// Processors this thread may run on now. At least 1.
unsigned usable_cpus() noexcept;

// Milliseconds of a clock that never goes back; coarse (a few ms) and cheap.
uint64_t now_ms() noexcept;
// Nanoseconds of a clock that never goes back; and since 1970.
[[gnu::cold]] uint64_t now_ns() noexcept;
[[gnu::cold]] uint64_t unix_ns() noexcept;

// Processor time of this process, and of this thread, in microseconds.
[[gnu::cold]] uint64_t process_cpu_us() noexcept;
[[gnu::cold]] uint64_t thread_cpu_us() noexcept;

// Lets other threads run.
[[gnu::cold]] void yield() noexcept;

// Writes all of it, or answers false. Async-signal-safe, leaves errno alone. 2 is the standard error of the
// process, whoever calls.
[[gnu::cold]] bool write_all(int fd, const char* text, size_t length) noexcept;

bool exists(const char* path) noexcept;

// Reads from where the descriptor stands to the end, at most `size` bytes; their number, or -errno.
long read_all(int fd, char* to, size_t size) noexcept;

// Reads a small file whole; the number of bytes, or -errno.
long read_file(const char* path, char* to, size_t size) noexcept;

// A new or emptied file for writing; its descriptor, or -errno.
[[gnu::cold]] int create_file(const char* path) noexcept;
void close_file(int fd) noexcept;

// RLIMIT_AS, or SIZE_MAX when there is none.
[[gnu::cold]] size_t address_space_limit() noexcept;

// What one process can have at most: main memory and swap, or RLIMIT_AS if that is less.
[[gnu::cold]] size_t attainable_memory() noexcept;

// The number behind `key` on its line in a text such as /proc/meminfo; 0 where there is none.
[[nodiscard, gnu::cold]] size_t number_behind(std::string_view text, std::string_view key) noexcept;

// Is less than a tenth of the machine's memory to be had (MemAvailable, proc(5))? False where it can't be
// known.
[[nodiscard, gnu::cold]] bool memory_is_scarce() noexcept;

// Anonymous memory of this process that is in memory (/proc/self/statm, proc(5)), in bytes. SIZE_MAX where it
// can't be known.
[[nodiscard, gnu::cold]] size_t anonymous_resident_bytes() noexcept;

size_t process_id() noexcept;

// What the kernel has counted for this process (getrusage).
struct usage {
    size_t peak_resident_bytes;
    size_t minor_faults;
    size_t major_faults;
};
[[gnu::cold]] usage process_usage() noexcept;

// Ends the process without running anything more of it.
[[noreturn, gnu::cold]] void exit_at_once(int status) noexcept;

// SIGABRT, with the default action if a handler returns. Does not return.
[[noreturn, gnu::cold]] void abort_process() noexcept;

// The same, with a last line on standard error.
[[noreturn, gnu::cold]] void abort_process(std::string_view line) noexcept;

} // namespace lowtide::os
