// The limits that control groups put on this process: its own group's and those of every group above it,
// since the lowest one counts. Understands version 2 and version 1 (also side by side), and containers'
// mounts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace lowtide::tools {

struct cgroup_limits {
    int version = 0;                          // of the memory controller: 0 where none is found
    std::optional<std::uint64_t> memory_max;  // above it the kernel kills
    std::optional<std::uint64_t> memory_high; // above it the kernel slows down and reclaims
    std::optional<double> cpus;               // processors' worth of time
    std::string memory_max_from;              // the group with that limit
};

/// `root` is "/", or a made-up tree in a test.
cgroup_limits read_cgroup_limits(const std::filesystem::path& root);

} // namespace lowtide::tools
