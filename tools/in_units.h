// Sizes as a person reads them.
#pragma once

#include <cstdint>
#include <string>

namespace lowtide::tools {

/// "640 B", "64 KiB", "1.9 GiB".
std::string in_units(std::uint64_t bytes);

} // namespace lowtide::tools
