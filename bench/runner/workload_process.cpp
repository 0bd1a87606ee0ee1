// See workload_process.h.
#include "runner/workload_process.h"

#include "runner/errors.h"
#include "runner/key_values.h"
#include "runner/profiler.h"

#include <fmt/format.h>
#include <sstream>

namespace lowtide::bench {

double seconds_of(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

namespace {

/// Hundreds of times what a run takes: only an allocator that hangs gets here.
constexpr seconds time_limit{120};
/// A traced system call takes some ten times as long.
constexpr seconds tracing_limit{1200};
/// A run takes some tenths of a second; no callers of the workloads' and of an allocator are deeper than
/// this.
constexpr sampling profile_sampling{.per_second = 4999, .stack_bytes = 4096};

/// The total of strace's summary, which ends with a line like "  746 total".
double counted(const std::string& summary) {
    std::istringstream lines(summary);
    double calls = 0;
    for (std::string line, name; std::getline(lines, line);)
        if (std::istringstream words(line); words >> calls >> name && name == "total")
            return calls;
    throw run_failed("strace counted no system calls");
}

class workload_process final : public benchmark {
public:
    workload_process(description about, std::vector<std::string> words, const supervisor& processes)
        : benchmark(std::move(about)), words_(std::move(words)), processes_(processes) {}

    measurement run(const allocator& allocator) override {
        const launch what{.words = words_, .variables = allocator.environment()};
        const ended result = processes_.run(what, time_limit);
        const key_values said = verified(allocator, result);
        return {.ns_per_operation = said.number("ns_per_operation"),
                .peak_rss_kib = said.number("peak_rss_kib"),
                .minor_faults = said.number("minor_faults"),
                .user_seconds = seconds_of(result.usage.ru_utime),
                .system_seconds = seconds_of(result.usage.ru_stime),
                .checksum = said.text("checksum"),
                .idle_rss_kib = said.number_if_any("idle_1000_kib"),
                .mappings = said.number_if_any("mappings"),
                .reload_ns = said.number_if_any("reload_ns"),
                .idle = idling_of(said)};
    }

    /// strace(1) counts them: of all threads, from execve on. It has another malloc itself.
    std::optional<double> system_calls(const allocator& allocator) override {
        launch what{.words = {strace_program(), "--follow-forks", "--quiet=all", "--summary-only",
                              "--summary-columns=calls,name"}};
        for (const auto& [name, value] : allocator.environment())
            what.words.insert(what.words.end(), {"-E", fmt::format("{}={}", name, value)});
        what.words.push_back("--");
        what.words.insert(what.words.end(), words_.begin(), words_.end());
        const ended result = processes_.run(what, tracing_limit);
        verified(allocator, result);
        return counted(result.errors);
    }

    std::optional<call> profile(const allocator& allocator, const profiler& perf) override {
        const launch what{.words = words_, .variables = allocator.environment()};
        profiler::recording made = perf.record(what, allocator, profile_sampling, time_limit);
        verified(allocator, made.end);
        return std::move(made.calls);
    }

private:
    static idling idling_of(const key_values& said) {
        idling found{.live = said.number_if_any("live_kib"),
                     .least = said.number_if_any("least_kib"),
                     .peak_live = said.number_if_any("peak_live_kib"),
                     .peak_rss = said.number_if_any("peak_kib"),
                     .mappings_before = said.number_if_any("mappings_before"),
                     .mappings = said.number_if_any("mappings")};
        for (const unsigned ms : {0u, 500u, 1000u, 2000u, 5000u, 10'000u})
            if (const double kib = said.number_if_any(fmt::format("idle_{}_kib", ms)); kib > 0)
                found.rss.emplace_back(ms, kib);
        return found;
    }

    static key_values verified(const allocator& allocator, const ended& result) {
        if (!result.succeeded())
            throw run_failed(result.reason());
        key_values said(result.output);
        verify(allocator, {.malloc = said.text("malloc"), .free = said.text("free")});
        return said;
    }

    std::vector<std::string> words_;
    const supervisor& processes_;
};

} // namespace

std::filesystem::path strace_program() {
    return find_program("strace");
}

benchmark_list workload_benchmarks(const workload_settings& settings, const supervisor& processes) {
    const ended listing = processes.run({.words = {settings.program, "--list"}}, time_limit);
    if (!listing.succeeded())
        throw usage_error(fmt::format("{}: {}", settings.program.string(), listing.reason()));
    benchmark_list all;
    std::istringstream lines(listing.output);
    description about;
    for (std::string role; std::getline(lines, about.name, '\t') && std::getline(lines, about.group, '\t') &&
                           std::getline(lines, role, '\t') && std::getline(lines, about.about);) {
        about.baseline = role == "baseline";
        about.idles = role == "idles";
        const std::vector<std::string> words{settings.program, "--scale", fmt::format("{}", settings.scale),
                                             about.name};
        if (role != "any") {
            all.push_back(std::make_unique<workload_process>(about, words, processes));
            continue;
        }
        for (const unsigned count : settings.threads) {
            description one = about;
            one.name += fmt::format("/{}", count);
            one.threads = count;
            std::vector<std::string> command = words;
            command.insert(command.end(), {"--threads", fmt::format("{}", count)});
            all.push_back(std::make_unique<workload_process>(std::move(one), std::move(command), processes));
        }
    }
    return all;
}

} // namespace lowtide::bench
