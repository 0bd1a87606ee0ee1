// Arguments that several subcommands have.
#pragma once

namespace CLI {
class App;
}

namespace lowtide::tools {

/// --wait, for a process's answer.
void add_wait(CLI::App& command, double& seconds);

} // namespace lowtide::tools
