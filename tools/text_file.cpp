// Small text files: see text_file.h.
#include "text_file.h"

#include <charconv>
#include <fstream>
#include <iterator>

namespace lowtide::tools {

std::optional<std::string> text_of(const std::filesystem::path& file) {
    std::ifstream in(file);
    if (!in)
        return std::nullopt;
    return std::string(std::istreambuf_iterator<char>(in), {});
}

std::optional<std::uint64_t> to_number(const std::string& text) {
    constexpr const char* space = " \t\n";
    const std::size_t begin = text.find_first_not_of(space);
    if (begin == text.npos)
        return std::nullopt;
    const char* first = text.data() + begin;
    const char* last = text.data() + text.find_last_not_of(space) + 1;
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(first, last, number);
    return error == std::errc{} && end == last ? std::optional(number) : std::nullopt;
}

std::optional<std::uint64_t> number_in(const std::filesystem::path& file) {
    const auto text = text_of(file);
    return text ? to_number(*text) : std::nullopt;
}

} // namespace lowtide::tools
