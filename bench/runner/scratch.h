// A directory for the time of the benchmark.
#pragma once

#include <filesystem>
#include <string>

namespace lowtide::bench {

/// Made below TMPDIR or /tmp, readable to all (servers drop their privileges); removed with all that is in
/// it.
class scratch {
public:
    scratch();
    ~scratch();
    scratch(const scratch&) = delete;
    scratch& operator=(const scratch&) = delete;

    const std::filesystem::path& path() const { return path_; }

    /// A new directory in it.
    std::filesystem::path directory(const std::string& name);

private:
    std::filesystem::path path_;
    unsigned made_ = 0;
};

/// Throws std::runtime_error if the file cannot be written whole.
void write_file(const std::filesystem::path& file, const std::string& text);
std::string read_file(const std::filesystem::path& file);

} // namespace lowtide::bench
