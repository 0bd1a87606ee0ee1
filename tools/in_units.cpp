// See in_units.h.
#include "in_units.h"

#include "base/print.h"

namespace lowtide::tools {

std::string in_units(std::uint64_t bytes) {
    char text[32];
    printer out(text);
    out.print("{}", byte_count{bytes});
    return std::string(out.text());
}

} // namespace lowtide::tools
