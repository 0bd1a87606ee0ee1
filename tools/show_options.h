// `lowtide options`: the options, what they are set to and by whom.
#pragma once

#include "base/options.h"

#include <filesystem>

namespace lowtide::tools {

/// As the library would read them in a program started from here; what it would warn of is said on stderr.
options options_in_effect(const std::filesystem::path& file, const char* environment);

void print_options(const options& in_effect, bool json);

} // namespace lowtide::tools
