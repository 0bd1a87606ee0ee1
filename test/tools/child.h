// Runs a program to its end and keeps what it printed.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace lowtide::test {

struct child_result {
    int status = -1; // as waitpid tells it
    pid_t pid = 0;
    std::string output;
    std::string errors;

    /// As a shell shows it: the exit code, or 128 + the signal.
    int exit_code() const;
};

struct child {
    std::vector<std::string> command;
    std::vector<std::pair<std::string, std::string>> environment; // on top of PATH, and nothing else
    std::string input;
    std::filesystem::path folder = "/";
    unsigned user = 0; // another user to become, where this process may

    child_result run() const;
};

/// A folder that is removed again.
class temporary_folder {
public:
    temporary_folder();
    ~temporary_folder();
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;

    const std::filesystem::path& path() const { return path_; }

    /// Writes a file, with the folders above it; its path.
    std::filesystem::path write(const std::filesystem::path& name, const std::string& text,
                                std::filesystem::perms mode = std::filesystem::perms(0644)) const;

private:
    std::filesystem::path path_;
};

} // namespace lowtide::test
