// The figures that a series of runs and a series of workloads come down to.
#pragma once

#include <vector>

namespace lowtide::bench {

/// What the runs of one workload on one allocator gave.
struct spread {
    double median;
    double min;
    double max;

    /// The whole spread as a share of the median.
    double relative() const { return (max - min) / median; }
};

/// Of at least one value; the mean of the middle two where their number is even.
spread spread_of(std::vector<double> values);

/// Of at least one value, all above zero.
double geometric_mean(const std::vector<double>& values);

/// Each value divided by the least one. All are above zero.
std::vector<double> ratios_to_best(const std::vector<double>& values);

} // namespace lowtide::bench
