#include "disassembly.h"

#include "library_symbols.h"

#include <array>
#include <cstdio>
#include <cstdlib>

namespace rseq_test {

namespace {

// "    5531:\timul   $0x800,%fs:0x18(%rcx),%edx" has an instruction, other lines have none.
bool parse(const std::string& line, instruction& found) {
    const size_t colon = line.find(":\t");
    if (colon == std::string::npos || line[0] != ' ')
        return false;
    found.address = strtoull(line.c_str(), nullptr, 16);
    found.text.clear();
    for (const char c : line.substr(colon + 2)) {
        const bool space = c == ' ' || c == '\t' || c == '\n';
        if (!space)
            found.text += c;
        else if (!found.text.empty() && found.text.back() != ' ')
            found.text += ' ';
    }
    while (!found.text.empty() && found.text.back() == ' ')
        found.text.pop_back();
    return true;
}

} // namespace

std::vector<instruction> disassemble(const std::string& library, uint64_t from, uint64_t to) {
    char command[4096];
    snprintf(command, sizeof(command),
             "objdump -d -w --no-show-raw-insn --start-address=%#lx --stop-address=%#lx '%s'", from, to,
             library.c_str());
    FILE* output = popen(command, "r");
    if (output == nullptr)
        fail("objdump can't be run");
    std::vector<instruction> all;
    std::array<char, 1024> line{};
    while (fgets(line.data(), line.size(), output) != nullptr) {
        instruction found;
        if (parse(line.data(), found))
            all.push_back(found);
    }
    if (pclose(output) != 0 || all.empty())
        fail("objdump shows nothing at %#lx of %s", from, library.c_str());
    return all;
}

} // namespace rseq_test
