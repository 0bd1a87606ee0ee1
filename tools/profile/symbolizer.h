// The names behind addresses: by the symbols and the debug information of the files that were mapped.
#pragma once

#include "profile/heap_profile.h"

#include <filesystem>

namespace lowtide::tools {

/// Gives frames to the places that have none; those that are still without one then have no symbol. A file
/// whose build id isn't the recorded one is another version, and not used; that is said once on stderr.
/// `root` is where the paths of the mappings begin: the process may be in a container.
void symbolize(heap_profile& profile, const std::filesystem::path& root);

} // namespace lowtide::tools
