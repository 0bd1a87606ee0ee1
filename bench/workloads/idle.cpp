#include "idle.h"

#include "clock.h"
#include "objects.h"

#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace lowtide::bench {
namespace {

/// Pss would divide what is shared; this is what a limit counts. From smaps_rollup, which counts pages, not
/// from statm, whose counters lag behind by up to 64 pages a processor.
double resident_kib() {
    const int file = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        give_up("cannot read /proc/self/smaps_rollup");
    char text[4096];
    const ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    text[length > 0 ? length : 0] = '\0';
    constexpr char key[] = "Rss:";
    const char* const line = std::strstr(text, key);
    if (line == nullptr)
        give_up("no resident memory in /proc/self/smaps_rollup");
    return static_cast<double>(std::strtol(line + sizeof key - 1, nullptr, 10));
}

double resident_kib(std::span<char> memory) {
    unsigned char present[4096];
    std::size_t pages = 0;
    while (!memory.empty()) {
        const std::span<char> part = memory.first(std::min(memory.size(), std::size(present) * page));
        if (mincore(part.data(), part.size(), present) != 0)
            give_up("cannot tell what is resident");
        for (std::size_t i = 0; i < part.size() / page; ++i)
            pages += present[i] & 1u;
        memory = memory.subspan(part.size());
    }
    return static_cast<double>(pages * page) / 1024;
}

void sleep_until(double when_ns) {
    const double left = when_ns - now_ns();
    if (left <= 0)
        return;
    timespec time{static_cast<time_t>(left / 1e9), static_cast<long>(left) % 1'000'000'000};
    while (nanosleep(&time, &time) != 0) {
    }
}

} // namespace

double mappings() {
    const int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        give_up("cannot read /proc/self/maps");
    char text[4096];
    std::ptrdiff_t lines = 0;
    for (ssize_t length; (length = read(file, text, sizeof text)) > 0;)
        lines += std::count(text, text + length, '\n');
    close(file);
    return static_cast<double>(lines);
}

void note_peak(outcome& result, std::uint64_t live) {
    const double begin = now_ns();
    result.peak_live_kib = static_cast<double>(live) / 1024;
    result.peak_kib = resident_kib();
    result.aside_ns += now_ns() - begin;
}

void stay_idle(outcome& result, double seconds, std::uint64_t live, std::uint64_t least,
               std::span<char> own) {
    const double begin = now_ns();
    const double own_kib = resident_kib(own);
    result.live_kib = static_cast<double>(live) / 1024;
    result.least_kib = static_cast<double>(least) / 1024;
    for (std::size_t i = 0; i < idle_samples && idle_times_ms[i] <= seconds * 1000; ++i) {
        sleep_until(begin + idle_times_ms[i] * 1e6);
        result.idle_kib[i] = resident_kib() - own_kib;
    }
    result.mappings = mappings();
    result.aside_ns += now_ns() - begin;
}

} // namespace lowtide::bench
