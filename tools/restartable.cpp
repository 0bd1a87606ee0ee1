// Restartable sequences: see restartable.h. glibc registers one area for each thread and tells where; an area
// of our own would only be refused.
#include "restartable.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fmt/format.h>
#include <linux/membarrier.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lowtide::tools {

namespace {

constexpr unsigned long at_rseq_feature_size = 27; // AT_RSEQ_FEATURE_SIZE, since Linux 6.3
constexpr unsigned long up_to_mm_cid = 28;         // struct rseq, up to and with mm_cid

bool glibc_registered() {
    // Looked up at run time: glibc has had it since 2.35, and the command also starts on an older one.
    const auto* size = static_cast<const unsigned*>(dlsym(RTLD_DEFAULT, "__rseq_size"));
    return size != nullptr && *size != 0;
}

bool kernel_has_them() {
    // An invalid registration: refused with EINVAL by a kernel that has the system call.
    return syscall(SYS_rseq, nullptr, 0, 0, 0) == 0 || errno != ENOSYS;
}

bool switched_off_by_tunable() {
    const char* tunables = std::getenv("GLIBC_TUNABLES");
    return tunables != nullptr && std::strstr(tunables, "glibc.pthread.rseq=0") != nullptr;
}

const char* why_not() {
    if (!kernel_has_them())
        return "the kernel has none, or an emulator or sandbox hides them";
    if (switched_off_by_tunable())
        return "GLIBC_TUNABLES switches them off (glibc.pthread.rseq=0)";
    return "glibc has not registered them";
}

} // namespace

restartable_sequences find_restartable_sequences() {
    if (!glibc_registered())
        return {"no", fmt::format("{}: Lowtide's caches are behind locks, which costs time and no memory.",
                                  why_not())};
    const unsigned long feature_size = getauxval(at_rseq_feature_size);
    const std::string size = feature_size != 0 ? fmt::format(", feature size {}", feature_size) : "";
    if (feature_size >= up_to_mm_cid)
        return {"mm_cid" + size, "caches without locks, as many as threads run at the same time."};
    return {"cpu_id" + size, "caches without locks, one for each processor that a thread has run on."};
}

std::optional<bool> membarrier_rseq_works() {
    const long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
    if (commands < 0)
        return errno == ENOSYS ? std::optional(false) : std::nullopt;
    return (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ) != 0;
}

} // namespace lowtide::tools
