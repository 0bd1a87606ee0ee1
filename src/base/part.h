// A piece of a text. string_view's own substr can throw, and so needs libstdc++ when the program runs.
#pragma once

#include <cstddef>
#include <string_view>

namespace lowtide {

constexpr std::string_view part(std::string_view text, std::size_t begin, std::size_t end) noexcept {
    return {text.data() + begin, end - begin};
}

} // namespace lowtide
