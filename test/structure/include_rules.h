// The include direction of the design: which folder may name which other one.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lowtide::test {

/// Every #include below src/, include/ and tools/ that points the wrong way, as "file:line: what is wrong".
std::vector<std::string> include_violations(const std::filesystem::path& project);

} // namespace lowtide::test
