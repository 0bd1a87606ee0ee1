// See statistics.h.
#include "runner/statistics.h"

#include <algorithm>
#include <cmath>

namespace lowtide::bench {

spread spread_of(std::vector<double> values) {
    std::ranges::sort(values);
    const auto quantile = [&](double share) {
        const double place = share * static_cast<double>(values.size() - 1);
        const auto below = static_cast<std::size_t>(place);
        const std::size_t above = std::min(below + 1, values.size() - 1);
        return std::lerp(values[below], values[above], place - static_cast<double>(below));
    };
    return {.median = quantile(0.5),
            .min = values.front(),
            .max = values.back(),
            .lower_quartile = quantile(0.25),
            .upper_quartile = quantile(0.75),
            .runs = values.size()};
}

double geometric_mean(const std::vector<double>& values) {
    double logarithms = 0;
    for (const double value : values)
        logarithms += std::log(value);
    return std::exp(logarithms / static_cast<double>(values.size()));
}

std::vector<spread> shares(const std::vector<std::vector<double>>& competitors) {
    std::vector<std::vector<double>> list(competitors.size());
    for (std::size_t round = 0; !competitors.empty() && round < competitors.front().size(); ++round) {
        std::vector<double> values;
        for (const std::vector<double>& one : competitors)
            values.push_back(one[round]);
        const double mean = geometric_mean(values);
        for (std::size_t i = 0; i < values.size(); ++i)
            list[i].push_back(values[i] / mean);
    }
    std::vector<spread> spreads;
    for (std::vector<double>& one : list)
        spreads.push_back(spread_of(std::move(one)));
    return spreads;
}

} // namespace lowtide::bench
