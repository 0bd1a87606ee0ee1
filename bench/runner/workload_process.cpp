// See workload_process.h.
#include "runner/workload_process.h"

#include "runner/errors.h"
#include "runner/key_values.h"

#include <fmt/format.h>
#include <sstream>

namespace lowtide::bench {

double seconds_of(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

namespace {

/// Hundreds of times what a run takes: only an allocator that hangs gets here.
constexpr seconds time_limit{120};

class workload_process final : public benchmark {
public:
    workload_process(description about, std::vector<std::string> words, const supervisor& processes)
        : benchmark(std::move(about)), words_(std::move(words)), processes_(processes) {}

    measurement run(const allocator& allocator) override {
        launch what{.words = words_};
        if (!allocator.is_libc)
            what.variables["LD_PRELOAD"] = allocator.loaded;
        const ended result = processes_.run(what, time_limit);
        if (!result.succeeded())
            throw run_failed(result.reason());
        const key_values said(result.output);
        verify(allocator, {.malloc = said.text("malloc"), .free = said.text("free")});
        return {.ns_per_operation = said.number("ns_per_operation"),
                .peak_rss_kib = said.number("peak_rss_kib"),
                .minor_faults = said.number("minor_faults"),
                .user_seconds = seconds_of(result.usage.ru_utime),
                .system_seconds = seconds_of(result.usage.ru_stime),
                .checksum = said.text("checksum")};
    }

private:
    std::vector<std::string> words_;
    const supervisor& processes_;
};

} // namespace

benchmark_list workload_benchmarks(const workload_settings& settings, const supervisor& processes) {
    const ended listing = processes.run({.words = {settings.program, "--list"}}, time_limit);
    if (!listing.succeeded())
        throw usage_error(fmt::format("{}: {}", settings.program.string(), listing.reason()));
    benchmark_list all;
    std::istringstream lines(listing.output);
    description about;
    for (std::string threads; std::getline(lines, about.name, '\t') &&
                              std::getline(lines, about.group, '\t') && std::getline(lines, threads, '\t') &&
                              std::getline(lines, about.about);) {
        const std::vector<std::string> words{settings.program, "--scale", fmt::format("{}", settings.scale)};
        const auto add = [&](const std::string& suffix, std::vector<std::string> more) {
            std::vector<std::string> command = words;
            command.insert(command.end(), more.begin(), more.end());
            command.push_back(about.name);
            all.push_back(std::make_unique<workload_process>(
                description{about.name + suffix, about.group, about.about}, std::move(command), processes));
        };
        if (threads == "fixed")
            add("", {});
        else
            for (const unsigned count : settings.threads)
                add(fmt::format("/{}", count), {"--threads", fmt::format("{}", count)});
    }
    return all;
}

} // namespace lowtide::bench
