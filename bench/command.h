// `lowtide bench`: compares allocators. See bench/README.md.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace CLI {
class App;
}

namespace lowtide::tools {

/// Adds the subcommand. It runs when `app` is parsed, and leaves in exit_code what to end with: 0, 1 if a run
/// failed, 125 if something was asked for that cannot be done, 130 if interrupted. Without the subcommand on
/// the command line, exit_code stays as it is.
void add_bench_command(CLI::App& app, int& exit_code);

/// The names of the workloads and programs, and what each does.
std::vector<std::pair<std::string, std::string>> workloads_of_bench();

} // namespace lowtide::tools
