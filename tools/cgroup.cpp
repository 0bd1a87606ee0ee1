// Control groups' limits: see cgroup.h.
#include "cgroup.h"

#include "text_file.h"

#include <algorithm>
#include <sstream>
#include <vector>

namespace lowtide::tools {

namespace {

namespace fs = std::filesystem;

/// Where one hierarchy is mounted, and this process's group in it.
struct hierarchy {
    fs::path mount;      // as seen by this process
    fs::path mount_root; // the group that is mounted there: not "/" in many containers
    fs::path group;

    /// The group's folder and those above it, up to the mount.
    std::vector<fs::path> folders() const {
        fs::path relative = group.lexically_relative(mount_root);
        if (relative.empty() || *relative.begin() == ".." || relative == ".")
            relative.clear(); // a group outside of what is mounted: what is mounted is all that can be known
        std::vector<fs::path> result{mount};
        for (const fs::path& step : relative)
            result.push_back(result.back() / step);
        std::ranges::reverse(result);
        return result;
    }
};

bool lists(const std::string& names, const std::string& name) {
    std::istringstream in(names);
    for (std::string word; std::getline(in, word, ',');)
        if (word == name)
            return true;
    return false;
}

/// The group in /proc/self/cgroup: of version 2 where `controller` is empty, else that controller's of
/// version 1.
std::optional<fs::path> group_of(const fs::path& root, const std::string& controller) {
    for (const std::string& line : lines_of(root / "proc/self/cgroup")) {
        const std::size_t first = line.find(':');
        const std::size_t second = line.find(':', first + 1);
        if (first == line.npos || second == line.npos)
            continue;
        const std::string controllers = line.substr(first + 1, second - first - 1);
        if (controller.empty() ? controllers.empty() : lists(controllers, controller))
            return line.substr(second + 1);
    }
    return std::nullopt;
}

std::optional<hierarchy> find_hierarchy(const fs::path& root, const std::string& controller) {
    const auto group = group_of(root, controller);
    if (!group)
        return std::nullopt;
    for (const std::string& line : lines_of(root / "proc/self/mountinfo")) {
        const std::size_t separator = line.find(" - ");
        if (separator == line.npos)
            continue;
        std::istringstream before(line.substr(0, separator));
        std::istringstream after(line.substr(separator + 3));
        std::string id, parent, device, mount_root, mount, type, source, options;
        before >> id >> parent >> device >> mount_root >> mount;
        after >> type >> source >> options;
        if (controller.empty() ? type == "cgroup2" : type == "cgroup" && lists(options, controller))
            return hierarchy{root / fs::path(mount).relative_path(), mount_root, *group};
    }
    return std::nullopt;
}

/// Nothing where there is no limit: "max" in version 2, a number near 2^63 in version 1.
std::optional<std::uint64_t> limit_in(const fs::path& file) {
    constexpr std::uint64_t unlimited = std::uint64_t{1} << 62;
    const auto number = number_in(file);
    return number && *number < unlimited ? number : std::nullopt;
}

template <class T>
bool lower(std::optional<T>& least, const std::optional<T>& candidate) {
    if (!candidate || (least && *least <= *candidate))
        return false;
    least = candidate;
    return true;
}

std::optional<double> cpus_of(const std::string& quota, const std::string& period) {
    const auto used = to_number(quota);
    const auto of = to_number(period);
    if (!used || !of || *of == 0)
        return std::nullopt;
    return static_cast<double>(*used) / static_cast<double>(*of);
}

void read_memory_max(cgroup_limits& limits, const hierarchy& tree, const char* file) {
    for (const fs::path& folder : tree.folders())
        if (lower(limits.memory_max, limit_in(folder / file)))
            limits.memory_max_from = folder;
}

} // namespace

cgroup_limits read_cgroup_limits(const fs::path& root) {
    cgroup_limits limits;
    if (const auto tree = find_hierarchy(root, "")) {
        limits.version = 2;
        read_memory_max(limits, *tree, "memory.max");
        for (const fs::path& folder : tree->folders()) {
            lower(limits.memory_high, limit_in(folder / "memory.high"));
            std::istringstream words(text_of(folder / "cpu.max").value_or(""));
            std::string quota, period;
            words >> quota >> period;
            lower(limits.cpus, cpus_of(quota, period));
        }
    }
    if (const auto tree = find_hierarchy(root, "memory")) {
        limits.version = 1;
        read_memory_max(limits, *tree, "memory.limit_in_bytes");
    }
    if (const auto tree = find_hierarchy(root, "cpu"))
        for (const fs::path& folder : tree->folders())
            lower(limits.cpus, cpus_of(text_of(folder / "cpu.cfs_quota_us").value_or(""),
                                       text_of(folder / "cpu.cfs_period_us").value_or("")));
    return limits;
}

} // namespace lowtide::tools
