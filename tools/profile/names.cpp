// See names.h.
#include "profile/names.h"

#include <algorithm>
#include <cstdlib>
#include <cxxabi.h>
#include <memory>

namespace lowtide::tools {

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
    return status == 0 ? name.get() : symbol;
}

} // namespace lowtide::tools
