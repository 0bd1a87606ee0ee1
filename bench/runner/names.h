// How a user names workloads: patterns, and what was probably meant by one that matches nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lowtide::bench {

/// A pattern names a workload ("pair/64"), a group or the first parts of names ("pair", "bulk/lifo"), or has
/// shell wildcards ("*/64").
bool matches(const std::string& pattern, const std::string& name, const std::string& group);

/// Up to three of the names, the likeliest first: those that few letters turn into `unknown`, or that contain
/// it.
std::vector<std::string> nearest(std::string_view unknown, const std::vector<std::string>& names);

} // namespace lowtide::bench
