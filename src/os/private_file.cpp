#include "os/private_file.h"

#include "os/machine.h"
#include "os/syscall.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

namespace lowtide::os {

static bool is_private(int fd) noexcept {
    struct stat file {};
    if (failed(system_call(SYS_fstat, fd, reinterpret_cast<long>(&file))))
        return false;
    uid_t real = 0;
    uid_t effective = 0;
    uid_t saved = 0;
    if (failed(system_call(SYS_getresuid, reinterpret_cast<long>(&real), reinterpret_cast<long>(&effective),
                           reinterpret_cast<long>(&saved))))
        return false;
    // Who a server of root's works as for a moment is not its master.
    const bool masters = file.st_uid == real && file.st_uid == effective && file.st_uid == saved;
    return S_ISREG(file.st_mode) && file.st_nlink == 1 && (masters || file.st_uid == 0) &&
           (file.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

int open_private_file(const char* path) noexcept {
    const auto fd = static_cast<int>(system_call(SYS_openat, AT_FDCWD, reinterpret_cast<long>(path),
                                                 O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (fd < 0 || is_private(fd))
        return fd;
    close_file(fd);
    return -EPERM;
}

int create_new_file(const char* path) noexcept {
    return static_cast<int>(system_call(SYS_openat, AT_FDCWD, reinterpret_cast<long>(path),
                                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
}

bool rename_file(const char* from, const char* to) noexcept {
    return !failed(system_call(SYS_renameat2, AT_FDCWD, reinterpret_cast<long>(from), AT_FDCWD,
                               reinterpret_cast<long>(to), 0));
}

bool remove_file(const char* path) noexcept {
    return !failed(system_call(SYS_unlinkat, AT_FDCWD, reinterpret_cast<long>(path), 0));
}

} // namespace lowtide::os
