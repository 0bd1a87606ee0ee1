// See history.h.
#include "runner/history.h"

#include "runner/errors.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fstream>
#include <nlohmann/json.hpp>

namespace lowtide::bench {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr double least_change = 1.1;
constexpr double noises = 3;

/// What two sessions must have in common to be compared.
json conditions(const results& measured) {
    json names = json::array();
    for (const allocator& each : measured.allocators)
        names.push_back(each.name);
    return {{"processor", measured.where.processor},
            {"processors", measured.where.processors},
            {"scale", measured.scale},
            {"allocators", names}};
}

json session_of(const results& measured) {
    json workloads = json::object();
    for (const row& each : measured.rows)
        for (const metric& what : measured.metrics()) {
            const auto ratios = each.ratios_to_others(what);
            const auto shares = each.shares(what);
            for (std::size_t i = 0; i < each.cells.size(); ++i)
                if (ratios[i]) {
                    json& figure = workloads[each.about.name][measured.allocators[i].name][what.key];
                    figure = {{"median", each.cells[i].of(what).median}, {"ratio", *ratios[i]}};
                    if (const auto noise = shares[i]->noise())
                        figure["noise"] = *noise;
                }
        }
    return {{"date", measured.date},
            {"command", measured.command},
            {"conditions", conditions(measured)},
            {"workloads", workloads}};
}

} // namespace

struct history::sessions {
    std::vector<json> list;
};

history::history(fs::path file) : file_(std::move(file)), sessions_(std::make_unique<sessions>()) {
    if (!fs::exists(file_))
        return;
    std::ifstream in(file_);
    if (!in)
        throw usage_error(fmt::format("cannot read {}", file_.string()));
    std::size_t number = 0;
    for (std::string line; std::getline(in, line);) {
        ++number;
        json session = json::parse(line, nullptr, false);
        if (!session.is_object() || !session.contains("date") || !session.contains("conditions") ||
            !session.contains("workloads"))
            throw usage_error(
                fmt::format("{}:{}: not a session of 'lowtide bench --history'", file_.string(), number));
        sessions_->list.push_back(std::move(session));
    }
}

history::~history() = default;

std::optional<comparison> history::compare(const results& measured) const {
    const json now = session_of(measured);
    const auto same = [&](const json& session) { return session["conditions"] == now["conditions"]; };
    const auto before = std::ranges::find_if(sessions_->list.rbegin(), sessions_->list.rend(), same);
    if (before == sessions_->list.rend())
        return std::nullopt;
    comparison found{.since = before->value("date", ""), .changes = {}};
    for (const row& workload : measured.rows)
        for (const allocator& on : measured.allocators)
            for (const metric& what : all_metrics) {
                const json::json_pointer at =
                    json::json_pointer() / "workloads" / workload.about.name / on.name / what.key;
                if (!now.contains(at) || !before->contains(at))
                    continue;
                const json& old_figure = (*before)[at];
                const json& new_figure = now[at];
                if (!old_figure.contains("noise") || !new_figure.contains("noise"))
                    continue; // of one run: nobody knows
                const double was = old_figure.value("ratio", 0.0);
                const double is = new_figure.value("ratio", 0.0);
                const double noise = old_figure.value("noise", 0.0) + new_figure.value("noise", 0.0);
                if (was > 0 && std::max(is / was, was / is) > std::max(least_change, 1 + noises * noise))
                    found.changes.push_back({workload.about.name, on.name, &what, was, is});
            }
    std::ranges::stable_sort(found.changes, std::greater{},
                             [](const change& each) { return std::abs(std::log(each.now / each.before)); });
    return found;
}

void history::append(const results& measured) const {
    std::ofstream out(file_, std::ios::app);
    out << session_of(measured).dump(-1, ' ', false, json::error_handler_t::replace) << '\n' << std::flush;
    if (!out)
        throw std::runtime_error(fmt::format("cannot write {}", file_.string()));
}

} // namespace lowtide::bench
