// See names.h.
#include "profile/names.h"

#include <algorithm>
#include <cstdlib>
#include <cxxabi.h>
#include <memory>

namespace lowtide::tools {

namespace {

/// Rust's own end of a name differs from build to build: "::h" and 16 hexadecimal digits.
std::string_view without_rust_hash(std::string_view name) {
    constexpr std::string_view mark = "::h";
    constexpr std::size_t digits = 16;
    const std::size_t at = name.rfind(mark);
    const bool is_hash = at != name.npos && name.size() == at + mark.size() + digits &&
                         name.find_first_not_of("0123456789abcdef", at + mark.size()) == name.npos;
    return is_hash ? name.substr(0, at) : name;
}

} // namespace

bool is_mangled(std::string_view symbol) {
    return symbol.starts_with("_Z");
}

std::string without_suffix(std::string_view symbol) {
    if (is_mangled(symbol))
        return std::string(symbol.substr(0, symbol.find_first_of(".@")));
    std::size_t end = symbol.find('@'); // the version of a symbol
    for (const char* suffix : {".cold", ".constprop.", ".isra.", ".llvm.", ".lto_priv.", ".part."})
        end = std::min(end, symbol.find(suffix));
    return std::string(symbol.substr(0, end));
}

std::string readable_name(const std::string& symbol) {
    if (!is_mangled(symbol))
        return symbol;
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> name(
        abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status), &std::free);
    return status == 0 ? std::string(without_rust_hash(name.get())) : symbol;
}

} // namespace lowtide::tools
