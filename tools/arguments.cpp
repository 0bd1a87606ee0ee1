// See arguments.h.
#include "arguments.h"

#include <CLI/CLI.hpp>

namespace lowtide::tools {

void add_wait(CLI::App& command, double& seconds) {
    command.add_option("--wait", seconds, "Seconds to wait for its answer")
        ->check(CLI::Range(0.0, 3600.0))
        ->check([](const std::string& text) { // of which no comparison is true
            return text.find("nan") == text.npos && text.find("NAN") == text.npos ? "" : "is not a number";
        })
        ->capture_default_str();
}

} // namespace lowtide::tools
