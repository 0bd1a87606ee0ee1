// Instructions of the library, as objdump (binutils) shows them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rseq_test {

struct instruction {
    uint64_t address = 0; // in the file
    std::string text;     // AT&T syntax, single spaces
};

// From address `from` to one before `to`.
std::vector<instruction> disassemble(const std::string& library, uint64_t from, uint64_t to);

} // namespace rseq_test
