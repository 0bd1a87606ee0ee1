// See arguments.h.
#include "arguments.h"

#include <CLI/CLI.hpp>

namespace lowtide::tools {

void check_seconds(CLI::Option& option, double least, double most) {
    option.check(CLI::Range(least, most))->check([](const std::string& text) {
        return text.find("nan") == text.npos && text.find("NAN") == text.npos ? "" : "is not a number";
    });
}

void add_wait(CLI::App& command, double& seconds) {
    CLI::Option* option = command.add_option("--wait", seconds, "Seconds to wait for its answer");
    check_seconds(*option, 0, 3600);
    option->capture_default_str();
}

} // namespace lowtide::tools
