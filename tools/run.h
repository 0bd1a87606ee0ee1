// `lowtide run`: starts a program on Lowtide, in place of this process.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace lowtide::tools {

struct run_request {
    std::vector<std::string> command;  // the program and its arguments
    std::optional<std::string> report;  // a file, or "-" for stderr
    std::optional<std::string> profile; // a file
    std::optional<std::string> leaks; // what has leaked when it ends: a file, "-" for standard error
    std::string configuration;         // key:value,… above LOWTIDE_CONF
    bool force = false;                // start it even if Lowtide cannot be its malloc
};

/// Returns only if the program could not be started; then what to exit with. Throws user_error.
int run(const run_request& request);

/// The entries of `base`, without those whose key `above` names as well, and then `above`.
std::string merge_configurations(const std::string& base, const std::string& above);

} // namespace lowtide::tools
