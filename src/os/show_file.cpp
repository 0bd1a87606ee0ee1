#include "os/show_file.h"

#include "base/print.h"
#include "os/syscall.h"

#include <cerrno>
#include <csignal>
#include <string_view>
#include <unistd.h>

namespace lowtide::os {

int create_memory_file(const char* name) noexcept {
    return static_cast<int>(system_call(SYS_memfd_create, reinterpret_cast<long>(name), 0));
}

bool show_file(const char* viewer, int fd) noexcept {
    constexpr size_t most_variables = 1024;
    const char* environment[most_variables];
    size_t count = 0;
    for (char** entry = environ; entry != nullptr && *entry != nullptr && count + 1 < most_variables; ++entry)
        if (const std::string_view text = *entry;
            !text.starts_with("LD_PRELOAD=") && !text.starts_with("LOWTIDE_"))
            environment[count++] = *entry;
    environment[count] = nullptr;
    char path[48];
    printer out(path);
    out.print("/proc/self/fd/{}", fd).print("{}", '\0');
    const char* arguments[] = {"lowtide", "profile", path, nullptr};
    const long child = system_call(SYS_clone, SIGCHLD); // as fork, but that no handler of libc's runs
    if (child == 0) {
        system_call(SYS_dup3, 2, 1, 0);
        system_call(SYS_execve, reinterpret_cast<long>(viewer), reinterpret_cast<long>(arguments),
                    reinterpret_cast<long>(environment));
        system_call(SYS_exit_group, 127);
    }
    int status = -1;
    long ended = child;
    do
        ended = failed(child) ? child : system_call(SYS_wait4, child, reinterpret_cast<long>(&status), 0, 0);
    while (ended == -EINTR);
    return ended == child && status == 0;
}

} // namespace lowtide::os
