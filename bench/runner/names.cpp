// See names.h.
#include "runner/names.h"

#include <algorithm>
#include <fnmatch.h>
#include <numeric>
#include <utility>

namespace lowtide::bench {

bool matches(const std::string& pattern, const std::string& name, const std::string& group) {
    return pattern == group || name.starts_with(pattern + '/') ||
           fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

namespace {

/// Levenshtein's distance, one row of the table at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t changed = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = std::min({changed, diagonal + 1, row[j] + 1});
        }
    }
    return row.back();
}

} // namespace

std::vector<std::string> nearest(std::string_view unknown, const std::vector<std::string>& names) {
    std::vector<std::pair<std::size_t, std::string>> near;
    for (const std::string& name : names) {
        const std::size_t distance = edit_distance(unknown, name);
        if (name.find(unknown) != std::string::npos)
            near.emplace_back(0, name);
        else if (distance * 2 <= std::max(unknown.size(), name.size()))
            near.emplace_back(distance, name);
    }
    std::ranges::stable_sort(near, {}, &std::pair<std::size_t, std::string>::first);
    std::vector<std::string> found;
    for (std::size_t i = 0; i < near.size() && i < 3; ++i)
        found.push_back(near[i].second);
    return found;
}

} // namespace lowtide::bench
