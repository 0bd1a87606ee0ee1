// The names of functions.
#pragma once

#include <string>
#include <string_view>

namespace lowtide::tools {

bool is_mangled(std::string_view symbol);

/// A compiler that splits or specializes a function gives the parts names like `f.cold` and `f.part.0`; a
/// linker marks versions, `f@@LIB_1.2`.
std::string without_suffix(std::string_view symbol);

/// As C++ writes it. Of Rust's two manglings it knows the older one.
std::string readable_name(const std::string& symbol);

} // namespace lowtide::tools
