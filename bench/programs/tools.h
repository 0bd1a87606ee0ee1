// The programs that a benchmark works with: whether they are there, running one to its end, reading what it
// reports.
#pragma once

#include "programs/programs.h"

#include <initializer_list>
#include <string_view>

namespace lowtide::bench {

/// Why nothing can be measured if one of the programs was not found: `name` is not installed. `packages` says
/// what Debian calls it: "package sqlite3".
std::optional<std::string> missing(std::initializer_list<std::filesystem::path> programs,
                                   std::string_view name, std::string_view packages);

constexpr seconds program_time_limit{300};

/// Throws run_failed, with the program's name, unless it succeeds within program_time_limit.
ended run_to_end(const launch& what, const supervisor& processes);

/// The number, above zero, that follows these in what a program reports, each of them behind the one before.
/// Throws run_failed if there is none.
double number_after(std::initializer_list<std::string_view> labels, std::string_view report);

} // namespace lowtide::bench
