// See statistics.h.
#include "runner/statistics.h"

#include <algorithm>
#include <cmath>

namespace lowtide::bench {

spread spread_of(std::vector<double> values) {
    std::ranges::sort(values);
    const std::size_t middle = values.size() / 2;
    const double median = values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
    return {.median = median, .min = values.front(), .max = values.back()};
}

double geometric_mean(const std::vector<double>& values) {
    double logarithms = 0;
    for (const double value : values)
        logarithms += std::log(value);
    return std::exp(logarithms / static_cast<double>(values.size()));
}

std::vector<double> ratios_to_best(const std::vector<double>& values) {
    std::vector<double> ratios;
    if (values.empty())
        return ratios;
    const double best = std::ranges::min(values);
    for (const double value : values)
        ratios.push_back(value / best);
    return ratios;
}

} // namespace lowtide::bench
