// The library as a file: see library_faults.h.
#include "library_faults.h"

#include "child.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace lowtide::test {

namespace fs = std::filesystem;

namespace {

using words = std::vector<std::string>;

constexpr std::size_t most_tls = 512; // so that a late dlopen finds room for it
// What the first segment has is resident in every process; what is rarely needed belongs behind
// (src/lowtide.ld).
constexpr std::size_t most_resident = LOWTIDE_MOST_RESIDENT;

/// What a tool prints, split into words, line by line.
std::vector<words> lines_of(const std::string& tool, const std::vector<std::string>& arguments) {
    child command{{"/usr/bin/env", tool}, {{"LC_ALL", "C"}}, {}, "/", 0};
    command.command.insert(command.command.end(), arguments.begin(), arguments.end());
    const child_result result = command.run();
    if (result.exit_code() != 0)
        throw std::runtime_error(tool + ": " + result.errors);
    std::istringstream text(result.output);
    std::vector<words> lines;
    for (std::string line; std::getline(text, line);) {
        std::istringstream in(line);
        lines.emplace_back(std::istream_iterator<std::string>(in), std::istream_iterator<std::string>());
    }
    return lines;
}

/// The last word of each line that has the word `tag`.
names values_of(const std::vector<words>& lines, const std::string& tag) {
    names values;
    for (const words& line : lines)
        if (std::ranges::find(line, tag) != line.end())
            values.insert(line.back());
    return values;
}

bool has(const std::vector<words>& lines, const std::string& tag, const std::string& value) {
    return std::ranges::any_of(lines, [&](const words& line) {
        return std::ranges::find(line, tag) != line.end() && std::ranges::find(line, value) != line.end();
    });
}

void check_dynamic_section(const fs::path& library, std::vector<std::string>& faults) {
    const std::vector<words> lines = lines_of("readelf", {"-dW", library});
    if (values_of(lines, "(NEEDED)") != names{"[libc.so.6]"})
        faults.emplace_back("needs something else than libc.so.6 alone");
    if (values_of(lines, "(SONAME)") != names{"[liblowtide.so.0]"})
        faults.emplace_back("has not the SONAME liblowtide.so.0");
    if (!has(lines, "(FLAGS_1)", "NODELETE"))
        faults.emplace_back("can be unloaded (no NODELETE)");
    if (has(lines, "(FLAGS)", "TEXTREL") || !values_of(lines, "(TEXTREL)").empty())
        faults.emplace_back("has relocations in its code (TEXTREL)");
}

// Type, offset, two addresses, two sizes, then flags, which may be apart ("R E").
void check_segments(const fs::path& library, std::vector<std::string>& faults) {
    bool first = true;
    for (const words& line : lines_of("readelf", {"-lW", library})) {
        const bool code =
            line.size() > 7 && line[0] == "LOAD" && (line[6] + line[7]).find('E') != std::string::npos;
        if (code && std::exchange(first, false) && std::stoul(line[5], nullptr, 16) > most_resident)
            faults.emplace_back("has too much code in its first segment");
        if (line.size() > 5 && line[0] == "TLS" && std::stoul(line[5], nullptr, 16) > most_tls)
            faults.emplace_back("has " + std::to_string(std::stoul(line[5], nullptr, 16)) + " bytes of TLS");
        if (line.size() > 6 && line[0] == "GNU_STACK" && line[6].find('E') != std::string::npos)
            faults.emplace_back("asks for an executable stack");
    }
}

void check_exports(const fs::path& library, const names& expected, std::vector<std::string>& faults) {
    names exported;
    for (const words& line : lines_of("nm", {"-D", "--defined-only", library}))
        exported.insert(line.back());
    for (const std::string& name : exported)
        if (!expected.contains(name))
            faults.emplace_back("exports " + name);
    for (const std::string& name : expected)
        if (!exported.contains(name))
            faults.emplace_back("does not export " + name);
}

} // namespace

names names_in(const fs::path& file) {
    std::ifstream in(file);
    names result;
    for (std::string line; std::getline(in, line);)
        if (!line.empty() && line.front() != '#')
            result.insert(line);
    return result;
}

std::vector<std::string> library_faults(const fs::path& library, const names& exports) {
    std::vector<std::string> faults;
    check_dynamic_section(library, faults);
    check_segments(library, faults);
    check_exports(library, exports, faults);
    return faults;
}

} // namespace lowtide::test
