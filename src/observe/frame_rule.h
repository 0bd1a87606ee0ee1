// How to get from a function's frame to that of its caller, at one instruction of the function.
#pragma once

#include <cstdint>

namespace lowtide {

enum class base : uint8_t {
    kept,      // the register still has the caller's value
    undefined, // the caller's value is lost; of the program counter: there is no caller
    unknown,   // it is said in a way that this file doesn't understand
    cfa,       // at the canonical frame address + offset
    sp,        // at the value of this register in the function + offset
    fp,
    bx,
};

struct place {
    base from = base::kept;
    int32_t offset = 0;
    friend constexpr bool operator==(place, place) = default;
};

struct frame_rule {
    place cfa{base::unknown};   // the address itself: the stack pointer after the return
    bool cfa_in_memory = false; // … is what this place in memory holds
    bool signal = false;        // a signal's frame: what it returns to isn't the instruction behind a call
    place pc{base::unknown};    // where these are in memory
    place fp;
    place bx;
    friend constexpr bool operator==(const frame_rule&, const frame_rule&) = default;
};

// A rule in a word that isn't 0; or 0 where it doesn't fit: a frame above 64 MiB, or a register saved more
// than 1 KiB away from where it is counted from.
[[nodiscard]] uint64_t pack(const frame_rule& rule) noexcept;
[[nodiscard]] frame_rule unpack(uint64_t packed) noexcept;

} // namespace lowtide
