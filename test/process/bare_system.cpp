// A system without /proc and /sys, as in a chroot or a container that mounts neither.
#include "filter.h"
#include "harness.h"
#include "workload.h"

#include <cerrno>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

using namespace harness;
using namespace workload;

namespace {

constexpr const char* kHidden[] = {"/proc", "/sys"};

// Lays an empty file system over each, in a mount namespace of this process's own.
void hide_proc_and_sys() {
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
        skip("mount namespaces are not permitted");
    }
    if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
        skip("the mount namespace cannot be made private");
    }
    for (const char* directory : kHidden) {
        if (mount("none", directory, "tmpfs", MS_RDONLY, nullptr) != 0) {
            skip("an empty file system cannot be mounted");
        }
    }
}

// Not even the number of processors can be asked for then.
void hide_and_refuse() {
    hide_proc_and_sys();
    filter::refuse({SYS_sched_getaffinity}, EPERM);
}

} // namespace

PART(without_proc_and_sys) {
    REQUIRE(access("/proc/self", F_OK) != 0 && access("/sys/fs", F_OK) != 0);
    REQUIRE(malloc_is_ours());
    use_every_size();
    busy_threads threads(3);
    threads.wait_for_steps(10'000);
    pid_t child = fork_guarded();
    if (child == 0) {
        threads.drain_exchange();
        use_every_size();
        exit(0);
    }
    require_success(child);
    malloc_trim(0);
    malloc_stats();
}

PROMISE(the_number_of_processors_need_not_be_known) {
    require_success(run_part("without_proc_and_sys", {.prepare = hide_and_refuse}));
}

PROMISE(no_proc_and_no_sys_are_needed) {
    outcome of = run_part("without_proc_and_sys", {.prepare = hide_proc_and_sys});
    require_success(of);
}
