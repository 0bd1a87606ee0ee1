// The registers of the calling function that an unwinder begins with. What the processors call them differs;
// here they are called after what they are used for.
#pragma once

#include <cstdint>

namespace lowtide::os {

struct registers {
    uintptr_t pc; // program counter
    uintptr_t sp; // stack pointer
    uintptr_t fp; // frame pointer: rbp, x29
    uintptr_t bx; // rbx: code that aligns its stack keeps the old pointer there; unused on aarch64
};

#if defined(__x86_64__)

// Is there call frame information for code on this processor that this library understands?
inline constexpr bool has_frame_rules = true;

[[gnu::always_inline]] inline registers registers_here() noexcept {
    registers r;
    asm volatile("leaq 0(%%rip), %0\n\t"
                 "movq %%rsp, %1\n\t"
                 "movq %%rbp, %2\n\t"
                 "movq %%rbx, %3"
                 : "=a"(r.pc), "=d"(r.sp), "=c"(r.fp), "=S"(r.bx)); // none that a caller expects back
    return r;
}

#elif defined(__aarch64__)

inline constexpr bool has_frame_rules = false;

// The stack pointer isn't needed: frames are found by their records.
[[gnu::always_inline]] inline registers registers_here() noexcept {
    const auto fp = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
    registers r{0, fp, fp, 0};
    asm volatile("adr %0, ." : "=r"(r.pc));
    return r;
}

#endif

} // namespace lowtide::os
