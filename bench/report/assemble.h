// Puts a page's parts together.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace lowtide::bench {

/// Each part takes the place of its mark, `{{name}}`, which the page has exactly once. Data come last, so
/// that no mark in a user's text is ever taken for one of the page's.
std::string assemble(std::string page, std::initializer_list<std::pair<const char*, std::string_view>> parts);

/// JSON, such that nothing in it looks like the end of the script element that it is put into.
std::string for_script(const std::string& json);

} // namespace lowtide::bench
