// See command.h: the arguments, and the order of events.
#include "bench/command.h"

#include "programs/programs.h"
#include "report/report.h"
#include "runner/errors.h"
#include "runner/history.h"
#include "runner/names.h"
#include "runner/profiler.h"
#include "runner/session.h"
#include "runner/workload_process.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>
#include <memory>
#include <unistd.h>

namespace lowtide::bench {

namespace fs = std::filesystem;

namespace {

constexpr int exit_run_failed = 1;
constexpr int exit_wrong_request = 125; // as the command line itself ends with
constexpr int exit_interrupted = 130;

constexpr double quick_scale = 0.1;
constexpr unsigned quick_repeat = 3;
constexpr unsigned full_repeat = 5;

/// The command line.
struct request {
    std::vector<std::string> patterns;
    bool list = false;
    unsigned repeat = 0; // 0: not said
    std::vector<unsigned> threads{2, 8, 32};
    allocator_request allocators;
    bool programs = false;
    bool system_calls = false;
    std::string json;
    std::string html;
    std::string flame;
    std::string history;
    bool quick = false;

    double scale() const { return quick ? quick_scale : 1; }
    unsigned rounds() const { return repeat != 0 ? repeat : quick ? quick_repeat : full_repeat; }
};

/// The files that belong to this program, in the tree that it was built in or where it is installed.
struct surroundings {
    fs::path own = fs::read_symlink("/proc/self/exe").parent_path();
    fs::path workloads = own / "lowtide-workloads";

    fs::path library(const std::string& name) const {
        const fs::path near = own.parent_path() / "lib" / name;
        return fs::exists(near) ? near : fs::path(LOWTIDE_LIBDIR) / name;
    }
};

std::vector<std::string> names_of(const benchmark_list& list) {
    std::vector<std::string> names;
    for (const auto& each : list)
        for (const std::string& name : {each->about().name, each->about().group})
            if (std::ranges::find(names, name) == names.end())
                names.push_back(name);
    return names;
}

bool wanted(const benchmark& candidate, const std::string& pattern) {
    return matches(pattern, candidate.about().name, candidate.about().group);
}

/// Only those that a pattern matches, in the list's order.
void choose(benchmark_list& list, const std::vector<std::string>& patterns) {
    if (patterns.empty())
        return;
    for (const std::string& pattern : patterns)
        if (std::ranges::none_of(list, [&](const auto& each) { return wanted(*each, pattern); })) {
            const std::vector<std::string> near = nearest(pattern, names_of(list));
            throw usage_error(
                fmt::format("no workload matches '{}'{}; --list shows them all", pattern,
                            near.empty() ? "" : fmt::format(" (did you mean {}?)", fmt::join(near, " or "))));
        }
    std::erase_if(list, [&](const auto& each) {
        return std::ranges::none_of(patterns,
                                    [&](const std::string& pattern) { return wanted(*each, pattern); });
    });
}

/// Without a pattern, what idles doesn't run, and the programs only if asked for; a pattern that matches one
/// asks for it.
benchmark_list select(const request& asked, benchmark_list workloads, benchmark_list programs) {
    if (!asked.list && asked.patterns.empty())
        std::erase_if(workloads, [](const auto& each) { return each->about().idles; });
    if (asked.programs || asked.list || !asked.patterns.empty())
        std::ranges::move(programs, std::back_inserter(workloads));
    choose(workloads, asked.patterns);
    return workloads;
}

void print_list(const benchmark_list& list, const std::vector<allocator>& allocators) {
    std::string group;
    for (const auto& each : list) {
        const description& about = each->about();
        if (about.group != group) {
            fmt::print("{}{}\n", group.empty() ? "" : "\n", about.group);
            group = about.group;
        }
        const std::optional<std::string> reason = each->unavailable();
        fmt::print("  {:<24} {}{}\n", about.name, about.about, reason ? fmt::format(" [{}]", *reason) : "");
    }
    fmt::print("\nallocators\n");
    for (const allocator& each : allocators)
        fmt::print("  {:<24} {}{}{}\n", each.name, each.file.string(), each.version.empty() ? "" : " ",
                   each.version);
}

/// A report that cannot be written is found out before the measuring, not after. Nothing stays of the
/// attempt.
void check_writable(const std::string& file) {
    if (file.empty() || file == "-")
        return;
    const bool is_new = !fs::exists(file);
    if (!std::ofstream(file, std::ios::app))
        throw usage_error(fmt::format("cannot write {}", file));
    if (is_new)
        fs::remove(file);
}

bool colours_wanted() {
    return isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
}

void report(const request& asked, const results& measured, const history& earlier) {
    const std::string json = json_report(measured);
    if (!asked.html.empty())
        write_file(asked.html, html_report(json));
    if (!asked.flame.empty())
        write_file(asked.flame, flame_report(measured));
    if (!asked.json.empty() && asked.json != "-")
        write_file(asked.json, json);
    fmt::print("{}", asked.json == "-" ? json : text_report(measured, colours_wanted()));
    if (!asked.history.empty()) {
        if (asked.json != "-")
            fmt::print("{}", text_report(earlier.compare(measured)));
        earlier.append(measured);
    }
    if (std::fflush(stdout) != 0)
        throw std::runtime_error("cannot write the results to stdout");
}

std::string command_words(const request& asked) {
    std::string words = "lowtide bench";
    for (const std::string& pattern : asked.patterns)
        words += ' ' + pattern;
    if (asked.programs)
        words += " --programs";
    if (asked.system_calls)
        words += " --system-calls";
    if (!asked.flame.empty())
        words += " --flame";
    if (asked.quick)
        words += " --quick";
    for (const std::string& each : asked.allocators.added)
        words += " --alloc " + each;
    for (const std::string& each : asked.allocators.without)
        words += " --without " + each;
    for (const std::string& each : asked.allocators.variables)
        words += " --env " + each;
    return words + fmt::format(" --repeat {} --threads {}", asked.rounds(), fmt::join(asked.threads, ","));
}

/// A page with a graph for everything would be of no use: what to look at has to be chosen.
std::unique_ptr<profiler> ready_profiler(const request& asked, const supervisor& processes) {
    if (asked.flame.empty() || asked.list)
        return nullptr;
    if (asked.patterns.empty() && !asked.programs)
        throw usage_error("--flame needs to be told which workloads to profile: PATTERN…; --list shows them");
    auto perf = std::make_unique<profiler>(processes);
    if (!perf->sees_kernel())
        fmt::print(stderr, "lowtide bench: kernel.perf_event_paranoid is above 1 and this is not root: "
                           "without the kernel's part\n");
    return perf;
}

int bench(const request& asked) {
    const surroundings near;
    if (!fs::exists(near.workloads))
        throw usage_error(fmt::format("{} is missing", near.workloads.string()));
    if (asked.system_calls && strace_program().empty())
        throw usage_error("--system-calls needs strace, which is not installed (Debian: strace)");
    check_writable(asked.json);
    check_writable(asked.html);
    check_writable(asked.flame);
    const history earlier(asked.history);
    check_writable(asked.history);

    const supervisor processes;
    const std::unique_ptr<profiler> perf = ready_profiler(asked, processes);
    scratch libraries;
    const allocator_list allocators(asked.allocators, near.workloads, near.library("liblowtide.so"),
                                    processes, libraries);
    for (const std::string& peer : allocators.missing())
        fmt::print(stderr, "lowtide bench: not compared, not installed: {}\n", peer);

    const program_settings programs{processes, near.library("liblowtide_bench_witness.so"), asked.scale()};
    const benchmark_list chosen =
        select(asked, workload_benchmarks({near.workloads, asked.scale(), asked.threads}, processes),
               program_benchmarks(programs));
    if (asked.list) {
        print_list(chosen, allocators.all());
        return 0;
    }

    results measured{.date = fmt::format("{:%FT%TZ}", fmt::gmtime(std::chrono::system_clock::now())),
                     .command = command_words(asked),
                     .where = machine::this_one(),
                     .repeat = asked.rounds(),
                     .scale = asked.scale(),
                     .system_calls = asked.system_calls,
                     .allocators = allocators.all()};
    run_session(chosen, measured, perf.get());
    report(asked, measured, earlier);
    if (measured.interrupted) {
        fmt::print(stderr, "lowtide bench: interrupted\n");
        return exit_interrupted;
    }
    return measured.failures() == 0 ? 0 : exit_run_failed;
}

int bench_or_explain(const request& asked) {
    const auto explain = [](const std::exception& problem) {
        fmt::print(stderr, "lowtide bench: {}\n", problem.what());
    };
    try {
        return bench(asked);
    } catch (const interrupted&) {
        return exit_interrupted;
    } catch (const usage_error& problem) {
        explain(problem);
        return exit_wrong_request;
    } catch (const std::exception& problem) {
        explain(problem);
        return exit_run_failed;
    }
}

} // namespace
} // namespace lowtide::bench

namespace lowtide::tools {

void add_bench_command(CLI::App& app, int& exit_code) {
    const auto asked = std::make_shared<bench::request>();
    CLI::App* const command =
        app.add_subcommand("bench", "Compare allocators by workloads and real programs");
    command->add_option(
        "PATTERN", asked->patterns,
        "Workloads to run: names, groups or shell patterns; all but the programs and what idles by default");
    command->add_flag("--list", asked->list, "List the workloads and allocators");
    command->add_option("--repeat", asked->repeat, "Runs of each workload on each allocator (5; --quick: 3)")
        ->check(CLI::Range(1, 1000));
    command->add_option("--threads", asked->threads, "Numbers of threads for larson and threads (2,8,32)")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->check(CLI::Range(1, 1024));
    command->add_option("--alloc", asked->allocators.added, "Another allocator: NAME=PATH.so")
        ->allow_extra_args(false);
    command->add_option("--without", asked->allocators.without, "Leave an allocator out")
        ->allow_extra_args(false);
    command
        ->add_option("--env", asked->allocators.variables,
                     "A variable for an allocator's processes: NAME:VARIABLE=VALUE")
        ->allow_extra_args(false);
    command->add_flag("--programs", asked->programs,
                      "Real programs too: servers, databases, compilers, interpreters");
    command->add_flag("--system-calls", asked->system_calls,
                      "Count system calls too, in a run of their own under strace");
    command->add_option("--json", asked->json, "Write the results as JSON to a file, or - for stdout alone");
    command->add_option("--html", asked->html, "Write the results as one page with plots to a file");
    command->add_option("--flame", asked->flame,
                        "Write flame graphs as one page to a file: a run of each under perf");
    command->add_option("--history", asked->history,
                        "Add the results to a file, and show what has changed since its last entry");
    command->add_flag("--quick", asked->quick, "A tenth of the work: for a first impression");
    command->footer(
        "Exits with 1 if a run failed, 125 if something cannot be done as asked, 130 if interrupted.");
    command->callback([asked, &exit_code] { exit_code = bench::bench_or_explain(*asked); });
}

std::vector<std::pair<std::string, std::string>> workloads_of_bench() {
    const bench::surroundings near;
    const bench::supervisor processes;
    bench::request all;
    all.list = true;
    const bench::program_settings programs{processes, near.library("liblowtide_bench_witness.so"),
                                           all.scale()};
    std::vector<std::pair<std::string, std::string>> named;
    for (const auto& each :
         select(all, workload_benchmarks({near.workloads, all.scale(), all.threads}, processes),
                bench::program_benchmarks(programs)))
        named.emplace_back(each->about().name, each->about().about);
    return named;
}

} // namespace lowtide::tools
