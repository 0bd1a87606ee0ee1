// pprof's format: profile.proto, compressed. The addresses in it are those of the calls, which is what pprof
// looks up.
#pragma once

#include "profile/heap_profile.h"

namespace lowtide::tools {

/// Both are the message itself, not compressed. `name` is the file's, for messages. Throws user_error.
heap_profile read_pprof(std::string_view message, const std::string& name);
/// `shown` is what a viewer begins with.
std::string write_pprof(const heap_profile& profile, quantity shown);

} // namespace lowtide::tools
