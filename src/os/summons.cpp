#include "os/summons.h"

#include "os/machine.h"
#include "os/syscall.h"

#include <cerrno>
#include <ctime>
#include <string_view>

// The ELF header: what the linker calls the beginning of the file.
extern "C" __attribute__((visibility("hidden"))) const uint32_t __ehdr_start;

namespace lowtide::os {

namespace {

// include/uapi/linux/futex.h, since 5.16
struct waited_for {
    uint64_t value;
    uint64_t address;
    uint32_t flags;
    uint32_t reserved = 0;
};
constexpr long futex_waitv = 449; // of every architecture
constexpr uint32_t of_32_bits = 0x02;
constexpr uint32_t is_private = 0x80;

} // namespace

woken_by wait_for_summons(const uint32_t* word, uint32_t while_value, uint64_t ms) noexcept {
    const waited_for both[] = {
        {while_value, reinterpret_cast<uint64_t>(word), of_32_bits | is_private},
        {__ehdr_start, reinterpret_cast<uint64_t>(&__ehdr_start), of_32_bits},
    };
    timespec until{};
    system_call(SYS_clock_gettime, CLOCK_MONOTONIC, reinterpret_cast<long>(&until));
    until.tv_sec += static_cast<time_t>(ms / 1000);
    for (;;) {
        const long answer = system_call(futex_waitv, reinterpret_cast<long>(both), 2, 0,
                                        reinterpret_cast<long>(&until), CLOCK_MONOTONIC);
        if (answer == 0 || answer == -EAGAIN)
            return woken_by::change;
        if (answer == 1)
            return woken_by::summons;
        if (answer == -ETIMEDOUT)
            return woken_by::time;
        if (answer != -EINTR) // a tracer
            return woken_by::refusal;
    }
}

size_t count_threads() noexcept {
    char text[4096];
    const long length = read_file("/proc/self/status", text, sizeof(text));
    return length <= 0 ? 0 : number_behind({text, static_cast<size_t>(length)}, "\nThreads:");
}

} // namespace lowtide::os
