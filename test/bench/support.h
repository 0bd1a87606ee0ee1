// What the bench's tests share.
#pragma once

#include "runner/process.h"
#include "runner/scratch.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace lowtide::bench::test {

/// Waits until there is no such process, or only what its parent has not asked about yet; ctest's limit
/// bounds it.
bool ends(pid_t pid);

/// Waits until the file is there and not empty, and returns what it says.
std::string await_file(const std::filesystem::path& file);

/// What an exception that comes of it says.
std::string message_of(const auto& action) {
    try {
        action();
    } catch (const std::exception& problem) {
        return problem.what();
    }
    return "(nothing was thrown)";
}

/// `lowtide bench` with these arguments, in a directory of its own that is TMPDIR as well.
class bench_command {
public:
    explicit bench_command(std::vector<std::string> arguments);

    ended run() const;
    launch ready() const { return what_; }

    void set(const std::string& variable, const std::string& value) { what_.variables[variable] = value; }
    std::filesystem::path file(const std::string& name) const { return files_.path() / name; }
    /// What the command left where temporary files go.
    std::vector<std::string> leftovers() const;

private:
    scratch files_;
    launch what_;
};

/// The arguments for the fewest runs there can be of one workload, on glibc and the allocators in `more`.
std::vector<std::string> quickly(std::vector<std::string> more);

/// -1 if a signal ended it.
int exit_code(const ended& end);

testing::AssertionResult says(const std::string& text, const std::string& part);

} // namespace lowtide::bench::test
