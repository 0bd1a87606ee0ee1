// See stat.h.
#include "stat.h"

#include "arguments.h"
#include "control.h"
#include "errors.h"
#include "in_units.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

namespace lowtide::tools {

namespace {

using json = nlohmann::json;

struct stat_request {
    int process = 0;
    double wait = 5;
    bool json = false;
    bool openmetrics = false;
};

struct row {
    const char* part;
    const char* meaning;
};

/// In the order of what one asks first.
constexpr row rows[] = {
    {"live", "objects that the program holds"},
    {"huge", "the same, with mappings of their own"},
    {"cached", "free objects in magazines and depots"},
    {"slab_free", "free objects between others in use"},
    {"run_free", "free runs and blocks"},
    {"huge_parked", "a huge mapping that waits for its next use"},
    {"pool_taken", "blocks of pools that the program holds"},
    {"pool_free", "free blocks of pools"},
    {"heap_live", "objects of heaps of the program's own"},
    {"heap_free", "free objects of those"},
    {"metadata", "the allocator's own records"},
    {"files", "programs, libraries, mapped files"},
    {"stack", "of the main thread"},
    {"other", "data of libraries, other stacks, own mappings"},
};

std::string bar(std::uint64_t part, std::uint64_t whole) {
    constexpr std::uint64_t width = 20;
    const std::uint64_t filled = whole == 0 ? 0 : (part * width + whole / 2) / whole;
    return std::string(static_cast<std::size_t>(std::min(filled, width)), '#');
}

void print_parts(std::string& to, const json& account) {
    const std::uint64_t all = account.at("resident_bytes");
    auto out = std::back_inserter(to);
    fmt::format_to(out, "{:<12} {:>10} {:>6}  {:<20}  {:>10}\n", "", "resident", "", "", "returned");
    for (const row& r : rows) {
        const json& part = account.at("parts").at(r.part);
        const std::uint64_t bytes = part.at("bytes");
        const std::uint64_t resident = part.at("resident_bytes");
        if (bytes == 0 && resident == 0)
            continue;
        const std::string returned = bytes > resident ? in_units(bytes - resident) : "";
        fmt::format_to(out, "{:<12} {:>10} {:>5.1f}%  {:<20}  {:>10}  {}\n", r.part, in_units(resident),
                       all == 0 ? 0 : 100.0 * static_cast<double>(resident) / static_cast<double>(all),
                       bar(resident, all), returned, r.meaning);
    }
    fmt::format_to(out, "{:<12} {:>10}\n", "resident", in_units(all));
    const json& requested = account.at("requested");
    if (!requested.is_null())
        fmt::format_to(out, "\nOf what is live, {} is more than was asked for (by {} samples).\n",
                       in_units(requested.at("waste_bytes").get<std::uint64_t>()),
                       requested.at("samples").get<std::uint64_t>());
}

void print_classes(std::string& to, const json& account) {
    constexpr std::size_t shown = 15;
    std::vector<json> classes = account.at("classes");
    const auto resident = [](const json& c) {
        return c.at("used").at("resident_bytes").get<std::uint64_t>() +
               c.at("free").at("resident_bytes").get<std::uint64_t>();
    };
    std::ranges::stable_sort(classes, std::greater{}, resident);
    auto out = std::back_inserter(to);
    fmt::format_to(out, "\n{:>10} {:>11} {:>9} {:>11} {:>10} {:>10} {:>10}\n", "size", "live", "cached",
                   "room", "resident", "free", "returned");
    for (std::size_t i = 0; i < std::min(shown, classes.size()); ++i) {
        const json& c = classes[i];
        const std::uint64_t free = c.at("free").at("resident_bytes");
        const std::uint64_t all_free = c.at("free").at("bytes");
        fmt::format_to(out, "{:>10} {:>11} {:>9} {:>11} {:>10} {:>10} {:>10}\n",
                       c.at("size").get<std::uint64_t>(), c.at("live").get<std::uint64_t>(),
                       c.at("cached").get<std::uint64_t>(), c.at("room").get<std::uint64_t>(),
                       in_units(resident(c)), in_units(free), in_units(all_free - std::min(all_free, free)));
    }
    if (classes.size() > shown)
        fmt::format_to(out, "{:>10}\n", fmt::format("+ {}", classes.size() - shown));
    const json& larger = account.at("larger");
    if (larger.at("runs") != 0)
        fmt::format_to(out, "{:>10} {:>11} {:>9} {:>11} {:>10}\n", "larger",
                       larger.at("runs").get<std::uint64_t>(), "", "",
                       in_units(larger.at("resident_bytes").get<std::uint64_t>()));
    if (larger.at("huge") != 0)
        fmt::format_to(out, "{:>10} {:>11} {:>9} {:>11} {:>10}\n", "huge",
                       larger.at("huge").get<std::uint64_t>(), "", "",
                       in_units(account.at("parts").at("huge").at("resident_bytes").get<std::uint64_t>()));
}

/// A name is the program's: nothing of it may play with the terminal.
std::string harmless(std::string name) {
    std::ranges::replace_if(
        name, [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
    return name.empty() ? "(no name)" : name;
}

void print_named(std::string& to, const json& account, const char* which, const char* count) {
    const json& all = account.at(which);
    if (all.empty())
        return;
    auto out = std::back_inserter(to);
    fmt::format_to(out, "\n{:<24} {:>11} {:>10} {:>10}\n", which, count, "in use", "free");
    for (const json& n : all)
        fmt::format_to(out, "{:<24} {:>11} {:>10} {:>10}\n", harmless(n.at("name").get<std::string>()),
                       n.at(count).get<std::uint64_t>(),
                       in_units(n.at("used").at("resident_bytes").get<std::uint64_t>()),
                       in_units(n.at("free").at("resident_bytes").get<std::uint64_t>()));
}

void show(const stat_request& request) {
    const std::string text =
        ask_for_account(request.process, request.openmetrics ? "openmetrics" : "json", request.wait);
    const std::string shown = request.json || request.openmetrics ? text : account_text(text);
    std::fwrite(shown.data(), 1, shown.size(), stdout);
}

} // namespace

std::string account_text(const std::string& text) {
    try {
        const json account = json::parse(text);
        if (account.at("lowtide_account") != 1)
            throw user_error(fmt::format("the account is of version {}, which this command doesn't know",
                                         account.at("lowtide_account").dump()));
        std::string to;
        print_parts(to, account);
        print_classes(to, account);
        print_named(to, account, "pools", "taken");
        print_named(to, account, "heaps", "live");
        return to;
    } catch (const json::exception& e) {
        throw user_error(fmt::format("the answer isn't an account: {}", e.what()));
    }
}

void add_stat_command(CLI::App& app) {
    const auto request = std::make_shared<stat_request>();
    CLI::App* stat = app.add_subcommand("stat", "What a running process has in memory, and what for");
    stat->add_option("PID", request->process, "The process")
        ->required()
        ->check(CLI::Range(1, std::numeric_limits<int>::max()));
    add_wait(*stat, request->wait);
    CLI::Option* as_json = stat->add_flag("--json", request->json, "Print JSON (lowtide-stat(1))");
    stat->add_flag("--openmetrics", request->openmetrics, "Print OpenMetrics text")->excludes(as_json);
    stat->footer(
        "Rights, and when a process hears, are as of `lowtide trim`. Exits with 125 if it could not\n"
        "be asked, or did not answer.");
    stat->callback([request] { show(*request); });
}

} // namespace lowtide::tools
