// See scaling.h.
#include "runner/scaling.h"

#include <algorithm>

namespace lowtide::bench {

namespace {

/// The rows of one workload with the fewest threads and with the most.
struct extremes {
    const row* fewest;
    const row* most;
};

std::string workload_of(const row& shown) {
    return shown.about.name.substr(0, shown.about.name.rfind('/'));
}

std::vector<extremes> all_extremes(const results& measured) {
    std::vector<extremes> list;
    for (const row& each : measured.rows) {
        if (each.about.threads == 0)
            continue;
        const auto own = std::ranges::find(list, workload_of(each),
                                           [](const extremes& known) { return workload_of(*known.most); });
        if (own == list.end())
            list.push_back({.fewest = &each, .most = &each});
        else if (each.about.threads < own->fewest->about.threads)
            own->fewest = &each;
        else if (each.about.threads > own->most->about.threads)
            own->most = &each;
    }
    return list;
}

std::optional<double> ratio(const cell& most, const cell& fewest) {
    const metric& time = all_metrics.front();
    if (!most.has(time) || !fewest.has(time))
        return std::nullopt;
    return most.of(time).median / fewest.of(time).median;
}

} // namespace

std::vector<scaling> scalings(const results& measured) {
    std::vector<scaling> list;
    for (const auto [fewest, most] : all_extremes(measured)) {
        if (fewest == most)
            continue;
        scaling& made = list.emplace_back(scaling{.workload = workload_of(*most),
                                                  .fewest = fewest->about.threads,
                                                  .most = most->about.threads,
                                                  .ratios = {}});
        for (std::size_t i = 0; i < measured.allocators.size(); ++i)
            made.ratios.push_back(ratio(most->cells[i], fewest->cells[i]));
    }
    return list;
}

} // namespace lowtide::bench
