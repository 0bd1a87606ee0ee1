// `lowtide stat`: what a running process has in memory, and what for.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace lowtide::tools {

/// Adds the subcommand.
void add_stat_command(CLI::App& app);

/// The account (lowtide-stat(1)) as a person reads it. Throws user_error if `json` isn't one.
std::string account_text(const std::string& json);

} // namespace lowtide::tools
