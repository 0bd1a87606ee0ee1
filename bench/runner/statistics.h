// The figures that a series of runs and a series of workloads come down to.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace lowtide::bench {

/// What the runs of one workload on one allocator gave.
struct spread {
    double median;
    double min;
    double max;
    double lower_quartile;
    double upper_quartile;
    std::size_t runs;

    /// Half of what the middle half of the runs spans, as a share of the median: one run that something else
    /// disturbed doesn't count. Nothing if there was one run: it says nothing about the next.
    std::optional<double> noise() const {
        return runs < 2 ? std::nullopt : std::optional((upper_quartile - lower_quartile) / 2 / median);
    }
};

/// Of at least one value. Between two values it is interpolated, linearly (as type 7 of Hyndman and Fan,
/// 1996, which spreadsheets and R use).
spread spread_of(std::vector<double> values);

/// Of at least one value, all above zero.
double geometric_mean(const std::vector<double>& values);

/// What several rounds say of several competitors, each with a value above zero in each round (all have the
/// same number of rounds, at least one): in each round their shares of that round's geometric mean, and of
/// those each one's spread. What slowed down a whole round leaves no trace in them.
std::vector<spread> shares(const std::vector<std::vector<double>>& competitors);

} // namespace lowtide::bench
