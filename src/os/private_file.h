// Files that nobody but this process's user, or root, can have written: how a command speaks to a process. As
// all of os/, nothing here touches errno; descriptors are closed on exec.
#pragma once

#include <cstddef>

namespace lowtide::os {

// Opens an ordinary file for reading and writing, if it belongs to the user (by real, effective and saved id)
// or to root, nobody else may write it, and it has that one name; symbolic links aren't followed. The
// descriptor, or -errno (-EPERM: it is not such a file). Doesn't wait, whatever is there.
[[gnu::cold]] int open_private_file(const char* path) noexcept;

// A file that isn't there yet, for writing, readable by all as far as the umask goes; its descriptor, or
// -errno.
[[gnu::cold]] int create_new_file(const char* path) noexcept;
// In place of what has that name. False when it couldn't be done.
[[gnu::cold]] bool rename_file(const char* from, const char* to) noexcept;

// False when it isn't there, or may not be removed.
[[gnu::cold]] bool remove_file(const char* path) noexcept;

} // namespace lowtide::os
