#include "os/readable.h"

#include "os/syscall.h"

#include <cerrno>

namespace lowtide::os {

// rt_sigprocmask reads the set before it looks at what is to be done with it, and there is no such thing as
// -1: EFAULT where nothing can be read, else EINVAL, and nothing has changed. Every seccomp filter lets it
// pass, unlike process_vm_readv; mincore calls a page readable that is mapped without any access.
bool is_readable(uintptr_t address) noexcept {
    return system_call(SYS_rt_sigprocmask, -1, static_cast<long>(address), 0, sizeof(uint64_t)) != -EFAULT;
}

} // namespace lowtide::os
