// `lowtide profile` and `lowtide diff`: where the memory of a program was allocated.
#pragma once

namespace CLI {
class App;
}

namespace lowtide::tools {

/// Adds the subcommands, which run when `app` is parsed. They throw user_error.
void add_profile_commands(CLI::App& app);

} // namespace lowtide::tools
