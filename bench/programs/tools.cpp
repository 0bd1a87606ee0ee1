// See tools.h.
#include "programs/tools.h"

#include "runner/errors.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lowtide::bench {

namespace fs = std::filesystem;

std::optional<std::string> missing(std::initializer_list<fs::path> programs, std::string_view name,
                                   std::string_view packages) {
    if (std::ranges::none_of(programs, [](const fs::path& each) { return each.empty(); }))
        return std::nullopt;
    return fmt::format("{} is not installed (Debian {})", name, packages);
}

ended run_to_end(const launch& what, const supervisor& processes) {
    ended end = processes.run(what, program_time_limit);
    if (!end.succeeded())
        throw run_failed(
            fmt::format("{}: {}", fs::path(what.words.front()).filename().string(), end.reason()));
    return end;
}

double number_after(std::initializer_list<std::string_view> labels, std::string_view report) {
    for (const std::string_view label : labels) {
        const std::size_t at = report.find(label);
        report.remove_prefix(at == std::string_view::npos ? report.size() : at + label.size());
    }
    report.remove_prefix(std::min(report.find_first_not_of(' '), report.size()));
    double number = 0;
    std::from_chars(report.data(), report.data() + report.size(), number);
    if (!(number > 0))
        throw run_failed(
            fmt::format("no number follows '{}' in what was reported", fmt::join(labels, " … ")));
    return number;
}

} // namespace lowtide::bench
