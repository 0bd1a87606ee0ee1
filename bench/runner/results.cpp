// See results.h.
#include "runner/results.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fstream>
#include <gnu/libc-version.h>
#include <sys/utsname.h>
#include <thread>

namespace lowtide::bench {

std::vector<double> cell::values(const metric& what) const {
    if (what.value == nullptr)
        return {system_calls.value()};
    std::vector<double> list;
    for (const measurement& run : runs)
        list.push_back(run.*what.value);
    return list;
}

bool row::completed_by_all() const {
    return !cells.empty() && std::ranges::all_of(cells, &cell::completed);
}

bool row::all_have(const metric& what) const {
    return !cells.empty() && std::ranges::all_of(cells, [&](const cell& each) { return each.has(what); });
}

std::vector<std::optional<spread>> row::shares(const metric& what) const {
    std::vector<std::vector<double>> competitors;
    for (const cell& each : cells)
        if (each.has(what))
            competitors.push_back(each.values(what));
    const std::vector<spread> present = bench::shares(competitors);
    std::vector<std::optional<spread>> list;
    std::size_t next = 0;
    for (const cell& each : cells)
        list.push_back(each.has(what) ? std::optional(present[next++]) : std::nullopt);
    return list;
}

namespace {

/// The least median of all but the one at `index`; none where there are no others.
std::optional<double> best_but(const std::vector<std::optional<spread>>& shares, std::size_t index) {
    std::optional<double> best;
    for (std::size_t i = 0; i < shares.size(); ++i)
        if (i != index && shares[i])
            best = std::min(shares[i]->median, best.value_or(HUGE_VAL));
    return best;
}

} // namespace

std::vector<std::optional<double>> row::ratios(const metric& what) const {
    const std::vector<std::optional<spread>> all = shares(what);
    const std::optional<double> best = best_but(all, all.size());
    std::vector<std::optional<double>> list;
    for (const std::optional<spread>& each : all)
        list.push_back(each ? std::optional(each->median / *best) : std::nullopt);
    return list;
}

std::vector<std::optional<double>> row::ratios_to_others(const metric& what) const {
    const std::vector<std::optional<spread>> all = shares(what);
    std::vector<std::optional<double>> list;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const std::optional<double> best = best_but(all, i);
        list.push_back(all[i] && best ? std::optional(all[i]->median / *best) : std::nullopt);
    }
    return list;
}

std::vector<metric> results::metrics() const {
    std::vector<metric> list;
    for (const metric& what : all_metrics) {
        const auto has = [&](const cell& each) { return each.has(what); };
        if (what.of_all || (what.value == nullptr && system_calls) ||
            std::ranges::any_of(rows, [&](const row& each) { return std::ranges::any_of(each.cells, has); }))
            list.push_back(what);
    }
    return list;
}

std::size_t results::failures() const {
    std::size_t count = 0;
    for (const row& each : rows)
        count += static_cast<std::size_t>(
            std::ranges::count_if(each.cells, [](const cell& one) { return !one.failure.empty(); }));
    return count;
}

std::size_t compared(const results& measured) {
    return static_cast<std::size_t>(std::ranges::count_if(
        measured.rows, [](const row& each) { return !each.about.baseline && each.completed_by_all(); }));
}

std::size_t comparable(const results& measured) {
    return static_cast<std::size_t>(
        std::ranges::count_if(measured.rows, [](const row& each) { return !each.about.baseline; }));
}

std::vector<standing> standings(const results& measured, const metric& what) {
    std::vector<standing> list;
    for (std::size_t i = 0; i < measured.allocators.size(); ++i) {
        std::vector<double> ratios;
        std::vector<double> to_others;
        standing own{.mean = 0, .to_others = {}, .worst = 0, .worst_workload = {}};
        for (const row& each : measured.rows) {
            if (each.about.baseline || !each.all_have(what))
                continue;
            ratios.push_back(*each.ratios(what)[i]);
            if (const std::optional<double> ratio = each.ratios_to_others(what)[i])
                to_others.push_back(*ratio);
            if (ratios.back() > own.worst) {
                own.worst = ratios.back();
                own.worst_workload = each.about.name;
            }
        }
        if (ratios.empty())
            return {};
        own.mean = geometric_mean(ratios);
        if (!to_others.empty())
            own.to_others = geometric_mean(to_others);
        list.push_back(std::move(own));
    }
    return list;
}

namespace {

/// The rest of the first line that starts with `key`; the whole first line if the key is empty.
std::string from_file(const char* file, const std::string& key) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);)
        if (line.starts_with(key)) {
            const std::size_t begin = line.find_first_not_of(" \t:", key.size());
            return begin == std::string::npos ? "" : line.substr(begin);
        }
    return "unknown";
}

/// "always [madvise] never" -> "madvise"
std::string chosen(const std::string& choices) {
    const std::size_t begin = choices.find('[');
    const std::size_t end = choices.find(']');
    return begin == std::string::npos || end == std::string::npos
               ? choices
               : choices.substr(begin + 1, end - begin - 1);
}

} // namespace

machine machine::this_one() {
    utsname system{};
    uname(&system);
    return {.processor = from_file("/proc/cpuinfo", "model name"),
            .processors = std::thread::hardware_concurrency(),
            .memory = from_file("/proc/meminfo", "MemTotal"),
            .kernel = fmt::format("{} {}", system.release, system.machine),
            .libc = fmt::format("glibc {}", gnu_get_libc_version()),
            .huge_pages = chosen(from_file("/sys/kernel/mm/transparent_hugepage/enabled", ""))};
}

} // namespace lowtide::bench
