// Where liblowtide.so is.
#pragma once

#include <filesystem>

namespace lowtide::tools {

/// $LOWTIDE_LIB if it is set, else beside this command (../lib), else where it was installed; absolute.
/// Throws user_error.
std::filesystem::path find_library();

} // namespace lowtide::tools
