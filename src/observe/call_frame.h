// Call frame information: how the registers of a function's caller are found, for each instruction of the
// function. Compilers write it for exceptions and debuggers, as a table of small programs (.eh_frame: DWARF 5
// section 6.4, LSB 5.0 section 10.6) with an index for binary search (.eh_frame_hdr). Here a program is run
// for one instruction and what it says reduced to a rule of the forms that matter for x86-64's stack: what is
// used there to find the caller. Pure functions on bytes, which may be anything: nothing outside the object
// is read.
#pragma once

#include "observe/frame_rule.h"
#include "os/loaded_object.h"

#include <cstdint>

namespace lowtide {

// The rule for the instruction at `pc`. False where the object has none.
[[nodiscard]] bool find_frame_rule(const os::loaded_object& in, uintptr_t pc, frame_rule& rule) noexcept;

// A number for what stands at these addresses: another one when another object was loaded there. Made of
// where it is, of its build id and, as not every linker writes one, of how many functions it has and where
// two of them are.
[[nodiscard]] uint64_t fingerprint(const os::loaded_object& of) noexcept;

} // namespace lowtide
