// A seccomp filter that answers some system calls with an error, or ends the process, in all threads and
// everything they execute.
#pragma once

#include "harness.h"

#include <cstddef>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <vector>

namespace filter {

inline void install(std::vector<sock_filter>& program, unsigned flags) {
    const sock_fprog whole{static_cast<unsigned short>(program.size()), program.data()};
    REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &whole) != 0) {
        harness::skip("the kernel has no seccomp filters");
    }
}

// What a filter does with these calls, and with all others.
inline std::vector<sock_filter> written(const std::vector<long>& calls, unsigned action, unsigned otherwise) {
    std::vector<sock_filter> program;
    program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
    for (long call : calls) {
        program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(call), 0, 1));
        program.push_back(BPF_STMT(BPF_RET | BPF_K, action));
    }
    program.push_back(BPF_STMT(BPF_RET | BPF_K, otherwise));
    return program;
}

inline void answer(const std::vector<long>& calls, unsigned action) {
    std::vector<sock_filter> program = written(calls, action, SECCOMP_RET_ALLOW);
    install(program, SECCOMP_FILTER_FLAG_TSYNC);
}

inline void refuse(const std::vector<long>& calls, int error) {
    answer(calls, SECCOMP_RET_ERRNO | static_cast<unsigned>(error));
}

inline void kill(const std::vector<long>& calls) {
    answer(calls, SECCOMP_RET_KILL_PROCESS);
}

// From now on the calling thread makes no system call but these, or SIGSYS ends the process, where a debugger
// shows it.
inline void allow_only(const std::vector<long>& calls) {
    std::vector<sock_filter> program = written(calls, SECCOMP_RET_ALLOW, SECCOMP_RET_TRAP);
    install(program, 0);
}

} // namespace filter
