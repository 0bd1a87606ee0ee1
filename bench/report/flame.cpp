// The page of flame graphs: its parts (see assets.S) and the profiles as JSON, put into one file.
#include "report/assemble.h"
#include "report/report.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

extern "C" {
extern const char lowtide_bench_page_css[];
extern const char lowtide_bench_flame_html[];
extern const char lowtide_bench_flame_css[];
extern const char lowtide_bench_flame_js[];
extern const char lowtide_bench_flame_graph_js[];
}

namespace lowtide::bench {

namespace {

using json = nlohmann::ordered_json;

/// The functions of all graphs; each has many frames, in which a number stands for it.
class functions {
public:
    std::size_t number_of(const call& which) {
        const auto [at, is_new] = numbers_.try_emplace({which.name, which.from}, list_.size());
        if (is_new)
            list_.push_back({which.name, static_cast<int>(which.from)});
        return at->second;
    }

    const json& list() const { return list_; }

private:
    std::map<std::pair<std::string, origin>, std::size_t> numbers_;
    json list_ = json::array();
};

/// [function, samples, callees...]
json of(const call& shown, functions& known) {
    json list = {known.number_of(shown), shown.samples};
    for (const call& each : shown.callees)
        list.push_back(of(each, known));
    return list;
}

json of(const row& shown, const results& measured, functions& known) {
    json object = {{"name", shown.about.name}, {"about", shown.about.about}};
    if (!shown.unavailable.empty())
        object["trouble"] = "skipped: " + shown.unavailable;
    else if (std::ranges::none_of(shown.cells,
                                  [](const cell& one) { return one.calls || !one.failure.empty(); }))
        object["trouble"] = "is a server, and those are not profiled";
    json& graphs = object["graphs"] = json::object();
    for (std::size_t i = 0; i < shown.cells.size(); ++i) {
        const cell& one = shown.cells[i];
        const std::string& name = measured.allocators[i].name;
        if (!one.failure.empty())
            graphs[name]["trouble"] = one.failure;
        else if (one.calls)
            graphs[name]["calls"] = of(*one.calls, known);
    }
    return object;
}

} // namespace

std::string flame_report(const results& measured) {
    functions known;
    json workloads = json::array();
    for (const row& each : measured.rows)
        workloads.push_back(of(each, measured, known));
    const json report = {{"date", measured.date},
                         {"command", measured.command},
                         {"processor", measured.where.processor},
                         {"kernel", measured.where.kernel},
                         {"interrupted", measured.interrupted},
                         {"functions", known.list()},
                         {"workloads", std::move(workloads)}};
    // What a symbol or a path says need not be UTF-8.
    const std::string text = report.dump(-1, ' ', false, json::error_handler_t::replace);
    return assemble(lowtide_bench_flame_html, {{"page.css", lowtide_bench_page_css},
                                               {"flame.css", lowtide_bench_flame_css},
                                               {"flame-graph.js", lowtide_bench_flame_graph_js},
                                               {"flame.js", lowtide_bench_flame_js},
                                               {"profiles.json", for_script(text)}});
}

} // namespace lowtide::bench
