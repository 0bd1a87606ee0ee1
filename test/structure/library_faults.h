// What a built liblowtide.so has to be like as a file, looked at with readelf and nm.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace lowtide::test {

using names = std::set<std::string>;

/// The lines of a text file, without comments and blank lines.
names names_in(const std::filesystem::path& file);

/// Whatever is wrong with the library, a line for each; `exports` is exactly what it may export.
std::vector<std::string> library_faults(const std::filesystem::path& library, const names& exports);

} // namespace lowtide::test
