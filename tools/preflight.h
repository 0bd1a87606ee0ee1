// What can be seen before the start: whether Lowtide can be loaded into a program, and if not, why.
//
// A benchmark that silently ran on another allocator is the commonest mistake in this field, so each reason
// is said plainly. What cannot be seen in the files is left to the library's own check at its start
// (LOWTIDE_VERIFY).
#pragma once

#include "elf_file.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lowtide::tools {

struct finding {
    bool fatal; // Lowtide would not be loaded, or not be the program's malloc
    std::string text;
};

/// The file that execvp would start; nothing where there is none.
std::optional<std::filesystem::path> find_program(const std::string& name);

/// Follows scripts through their #! lines (and env(1) in them) to the file that runs in the end.
std::filesystem::path follow_interpreters(std::filesystem::path program);

/// `library` is liblowtide.so's target, `preload` the LD_PRELOAD that Lowtide is going to be appended to.
std::vector<finding> preflight(const std::filesystem::path& program, const elf_target& library,
                               std::string_view preload);

} // namespace lowtide::tools
