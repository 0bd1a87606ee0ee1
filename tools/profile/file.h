// Files with profiles, of every form that can be read or written.
#pragma once

#include "profile/heap_profile.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace lowtide::tools {

enum class file_format { text, pprof, collapsed, speedscope, json, raw };

const std::map<std::string, file_format>& file_formats();

/// By the end of its name.
std::optional<file_format> format_of(const std::filesystem::path& file);

/// Raw or pprof's. Throws user_error.
heap_profile read_profile(const std::filesystem::path& file);

/// Open from the start, so that the work isn't in vain, and that it can be written by a process that has
/// given up its rights in between. Removed again if it isn't written; what was there before is kept until
/// then.
class output_file {
public:
    /// Empty: standard output. Throws user_error.
    explicit output_file(std::filesystem::path file);
    ~output_file();
    output_file(const output_file&) = delete;
    output_file& operator=(const output_file&) = delete;

    bool is_terminal() const;
    void write(std::string_view data);

private:
    std::filesystem::path file_;
    int fd_;
    bool is_ours_ = false; // it wasn't there
};

} // namespace lowtide::tools
