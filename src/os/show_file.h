// Has another program show what this one has written, at its end.
#pragma once

namespace lowtide::os {

// A file that is nowhere (memfd_create(2)), for other programs to read by its descriptor; or -errno.
[[nodiscard, gnu::cold]] int create_memory_file(const char* name) noexcept;

// Runs `viewer profile /proc/self/fd/N`, what it prints going to standard error, and waits for its end. It
// doesn't run on Lowtide itself. False when it couldn't be started, or failed.
[[nodiscard, gnu::cold]] bool show_file(const char* viewer, int fd) noexcept;

} // namespace lowtide::os
