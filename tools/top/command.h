// `lowtide top`: the processes on Lowtide, live.
#pragma once

namespace CLI {
class App;
}

namespace lowtide::tools {

void add_top_command(CLI::App& app);

} // namespace lowtide::tools
