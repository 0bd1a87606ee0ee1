// Arguments that several subcommands have.
#pragma once

namespace CLI {
class App;
class Option;
}

namespace lowtide::tools {

/// A number of seconds within a range, and no "nan", of which no comparison is true.
void check_seconds(CLI::Option& option, double least, double most);

/// --wait, for a process's answer.
void add_wait(CLI::App& command, double& seconds);

} // namespace lowtide::tools
