// The peak of this process's resident memory, read without malloc.
#pragma once

#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace lowtide::bench {

/// VmHWM in KiB, or -1 where /proc is not to be had. Not ru_maxrss: that starts with what the process was
/// before it became this program, which is the runner's size.
inline long peak_rss_kib() noexcept {
    const int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -1;
    char text[4096];
    const ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0)
        return -1;
    text[length] = '\0';
    constexpr char key[] = "VmHWM:";
    const char* const line = std::strstr(text, key);
    return line == nullptr ? -1 : std::strtol(line + sizeof key - 1, nullptr, 10);
}

} // namespace lowtide::bench
