// Small text files, such as those of /proc and /sys; a file that is not there is an answer, not an error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace lowtide::tools {

std::optional<std::string> text_of(const std::filesystem::path& file);

/// A whole number and nothing else but white space around it.
std::optional<std::uint64_t> to_number(const std::string& text);
std::optional<std::uint64_t> number_in(const std::filesystem::path& file);

} // namespace lowtide::tools
