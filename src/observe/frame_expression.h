// Expressions of call frame information (DWARF 5 section 2.5): small programs on a stack of numbers. They are
// not run for their value but for its form: what a rule can say is a distance from a register, and one access
// to memory.
#pragma once

#include "observe/frame_rule.h"
#include "observe/table_reader.h"

#include <cstdint>

namespace lowtide {

// Registers as DWARF numbers them (System V ABI, AMD64 supplement, figure 3.36).
inline constexpr uint64_t dwarf_rbx = 3;
inline constexpr uint64_t dwarf_rbp = 6;
inline constexpr uint64_t dwarf_rsp = 7;
inline constexpr uint64_t dwarf_return_address = 16;

constexpr base base_of(uint64_t reg) noexcept {
    return reg == dwarf_rsp   ? base::sp
           : reg == dwarf_rbp ? base::fp
           : reg == dwarf_rbx ? base::bx
                              : base::unknown;
}

constexpr place at(base from, int64_t offset) noexcept {
    if (offset != static_cast<int32_t>(offset))
        return {base::unknown};
    return {from, static_cast<int32_t>(offset)};
}

// What an expression has computed so far: a register and a distance, or what memory holds there. A number has
// no register (`kept`). The program counter is a number too, since the rule is for one instruction.
struct term {
    base from = base::kept;
    bool in_memory = false;
    int64_t offset = 0;

    [[nodiscard]] bool is_number() const noexcept { return from == base::kept && !in_memory; }
    // Wraps as the processor does.
    void add(int64_t distance) noexcept {
        offset = static_cast<int64_t>(static_cast<uint64_t>(offset) + static_cast<uint64_t>(distance));
    }
};

// Where the expression leads, for the instruction at `pc`; base::unknown where it is none of these forms. The
// second begins with a term on its stack.
[[nodiscard]] term evaluate(table_reader code, uintptr_t pc) noexcept;
[[nodiscard]] term evaluate(table_reader code, uintptr_t pc, term first) noexcept;

} // namespace lowtide
