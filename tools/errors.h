// How the command fails: exit codes as env(1) has them, and what a person can put right. Everything else that
// `lowtide run` ends with is the program's own.
#pragma once

#include <stdexcept>

namespace lowtide::tools {

constexpr int exit_not_started = 125; // Lowtide itself failed or refused
constexpr int exit_not_executable = 126;
constexpr int exit_not_found = 127;

/// Said in one line; the command then ends with exit_not_started.
struct user_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

} // namespace lowtide::tools
