// Raw system calls. They go round libc so that errno is never touched, no cancellation point is passed, and a
// program that interposes mmap or madvise (a sanitizer, a tracer) doesn't see calls of its own allocator.
// Each returns the kernel's answer: a value, or -errno.
#pragma once

#include <cstdint>
#include <sys/syscall.h>

namespace lowtide::os {

#if defined(__x86_64__)

inline long system_call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0,
                        long f = 0) noexcept {
    long result;
    register long r10 asm("r10") = d;
    register long r8 asm("r8") = e;
    register long r9 asm("r9") = f;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    return result;
}

#elif defined(__aarch64__)

inline long system_call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0,
                        long f = 0) noexcept {
    register long x8 asm("x8") = number;
    register long x0 asm("x0") = a;
    register long x1 asm("x1") = b;
    register long x2 asm("x2") = c;
    register long x3 asm("x3") = d;
    register long x4 asm("x4") = e;
    register long x5 asm("x5") = f;
    asm volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}

#else
#error "Lowtide runs on x86-64 and aarch64"
#endif

// The kernel answers errors with -4095 .. -1.
inline bool failed(long result) noexcept {
    return static_cast<unsigned long>(result) > -4096ul;
}

} // namespace lowtide::os
