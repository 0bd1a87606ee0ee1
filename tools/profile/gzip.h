// gzip, in memory.
#pragma once

#include <string>
#include <string_view>

namespace lowtide::tools {

bool is_gzip(std::string_view data);

/// `name` is the file's, for messages. Throws user_error.
std::string gunzip(std::string_view data, const std::string& name);
std::string gzip(std::string_view data);

} // namespace lowtide::tools
