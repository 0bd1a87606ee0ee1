// The JSON report; its schema is described in bench/README.md.
#include "report/report.h"

#include "runner/scaling.h"

#include <nlohmann/json.hpp>

namespace lowtide::bench {

namespace {

using json = nlohmann::ordered_json;

json of(std::optional<double> known) {
    return known ? json(*known) : json();
}

json of(const machine& where) {
    return {{"processor", where.processor}, {"processors", where.processors},
            {"memory", where.memory},       {"kernel", where.kernel},
            {"libc", where.libc},           {"huge_pages", where.huge_pages}};
}

json of(const idling& shown) {
    json object = {{"live", shown.live}, {"least", shown.least}};
    if (shown.peak_live > 0)
        object["peak_live"] = shown.peak_live;
    if (shown.peak_rss > 0 && shown.peak_live > 0) {
        object["peak_rss"] = shown.peak_rss;
        object["peak_to_live"] = shown.peak_rss / shown.peak_live;
    }
    object["mappings_before"] = shown.mappings_before;
    object["mappings"] = shown.mappings;
    json& rss = object["rss"] = json::array();
    for (const auto& [ms, kib] : shown.rss) {
        rss.push_back({{"ms", ms}, {"kib", kib}});
        if (shown.live > 0)
            rss.back()["to_live"] = kib / shown.live;
    }
    return object;
}

json of(const measurement& run) {
    json object = {{"time", run.ns_per_operation},
                   {"peak_rss", run.peak_rss_kib},
                   {"minor_faults", run.minor_faults},
                   {"user_seconds", run.user_seconds},
                   {"system_seconds", run.system_seconds}};
    if (!run.checksum.empty())
        object["checksum"] = run.checksum;
    if (run.reload_ns > 0)
        object["reload"] = run.reload_ns;
    if (!run.idle.rss.empty())
        object["idle"] = of(run.idle);
    return object;
}

json completed(const results& measured, const row& of_row, std::size_t index) {
    const cell& shown = of_row.cells[index];
    json object = {{"status", "ok"}};
    for (const metric& what : measured.metrics()) {
        if (!shown.has(what))
            continue;
        const spread values = shown.of(what);
        object[what.key] = {{"median", values.median},
                            {"min", values.min},
                            {"max", values.max},
                            {"noise", of(of_row.shares(what)[index]->noise())},
                            {"ratio", *of_row.ratios(what)[index]}};
    }
    return object;
}

json of(const results& measured, const row& shown) {
    json object = {{"name", shown.about.name}, {"group", shown.about.group}, {"about", shown.about.about}};
    if (shown.about.baseline)
        object["baseline"] = true;
    if (!shown.unavailable.empty()) {
        object["skipped"] = shown.unavailable;
        return object;
    }
    json& list = object["results"] = json::object();
    for (std::size_t i = 0; i < shown.cells.size(); ++i) {
        const cell& one = shown.cells[i];
        json result = one.completed() ? completed(measured, shown, i)
                                      : json{{"status", "failed"}, {"reason", one.failure}};
        json& runs = result["runs"] = json::array();
        for (const measurement& run : one.runs)
            runs.push_back(of(run));
        list[measured.allocators[i].name] = std::move(result);
    }
    return object;
}

json of(const results& measured, const scaling& shown) {
    json ratios = json::object();
    for (std::size_t i = 0; i < shown.ratios.size(); ++i)
        if (shown.ratios[i])
            ratios[measured.allocators[i].name] = *shown.ratios[i];
    return {{"workload", shown.workload}, {"fewest", shown.fewest}, {"most", shown.most}, {"ratios", ratios}};
}

json summary(const results& measured) {
    json object = {{"workloads", compared(measured)}, {"failures", measured.failures()}};
    json& list = object["allocators"] = json::object();
    for (const metric& what : measured.metrics()) {
        const std::vector<standing> all = standings(measured, what);
        for (std::size_t i = 0; i < all.size(); ++i) {
            json& one =
                list[measured.allocators[i].name][what.key] = {{"geometric_mean", all[i].mean},
                                                               {"worst", all[i].worst},
                                                               {"worst_workload", all[i].worst_workload}};
            if (all[i].to_others)
                one["to_others"] = *all[i].to_others;
        }
    }
    json& growth = object["scaling"] = json::array();
    for (const scaling& each : scalings(measured))
        growth.push_back(of(measured, each));
    return object;
}

} // namespace

std::string json_report(const results& measured) {
    json report = {
        {"format", "lowtide-bench"},
        {"version", 1},
        {"date", measured.date},
        {"command", measured.command},
        {"machine", of(measured.where)},
        {"settings",
         {{"repeat", measured.repeat}, {"scale", measured.scale}, {"system_calls", measured.system_calls}}},
        {"interrupted", measured.interrupted}};
    json& allocators = report["allocators"] = json::array();
    for (const allocator& each : measured.allocators)
        allocators.push_back({{"name", each.name}, {"file", each.file.string()}, {"version", each.version}});
    json& workloads = report["workloads"] = json::array();
    for (const row& each : measured.rows)
        workloads.push_back(of(measured, each));
    report["summary"] = summary(measured);
    // What a program or a path says need not be UTF-8.
    return report.dump(2, ' ', false, json::error_handler_t::replace) + '\n';
}

} // namespace lowtide::bench
