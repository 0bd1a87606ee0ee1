// See session.h.
#include "runner/session.h"

#include "runner/errors.h"
#include "tools/progress.h"

#include <fmt/format.h>
#include <functional>

namespace lowtide::bench {

namespace {

/// Every run does the same work, whatever the allocator; a different checksum means that memory was
/// corrupted.
void check_work(const row& so_far, const measurement& run) {
    for (const cell& each : so_far.cells)
        for (const measurement& other : each.runs)
            if (other.checksum != run.checksum)
                throw run_failed(fmt::format("did other work than the first run: checksum {}, not {}",
                                             run.checksum, other.checksum));
}

/// One more run, whose time doesn't count.
void run_once_more(const std::string& what, cell& into, tools::progress& shown,
                   const std::function<void()>& run) {
    if (!into.completed())
        return;
    shown.next(what);
    try {
        run();
    } catch (const run_failed& problem) {
        into.failure = problem.what();
        shown.say(fmt::format("{} failed: {}", what, problem.what()));
    }
}

row measure(benchmark& subject, const results& session, const profiler* perf, tools::progress& shown) {
    const std::vector<allocator>& allocators = session.allocators;
    row measured{.about = subject.about(), .cells = std::vector<cell>(allocators.size())};
    const std::string& name = measured.about.name;
    for (std::size_t round = 0; round < session.repeat; ++round)
        for (std::size_t turn = 0; turn < allocators.size(); ++turn) {
            const std::size_t chosen = (round + turn) % allocators.size();
            cell& into = measured.cells[chosen];
            if (!into.failure.empty())
                continue;
            shown.next(fmt::format("{} on {}", name, allocators[chosen].name));
            try {
                const measurement run = subject.run(allocators[chosen]);
                check_work(measured, run);
                into.runs.push_back(run);
            } catch (const run_failed& problem) {
                into.failure = problem.what();
                shown.skip(session.repeat - round - 1);
                shown.say(fmt::format("{} on {} failed: {}", name, allocators[chosen].name, problem.what()));
            }
        }
    for (std::size_t i = 0; i < allocators.size(); ++i) {
        const allocator& on = allocators[i];
        cell& into = measured.cells[i];
        if (session.system_calls)
            run_once_more(fmt::format("{} on {}, its system calls", name, on.name), into, shown,
                          [&] { into.system_calls = subject.system_calls(on); });
        if (perf != nullptr)
            run_once_more(fmt::format("{} on {}, its profile", name, on.name), into, shown,
                          [&] { into.calls = subject.profile(on, *perf); });
    }
    return measured;
}

} // namespace

void run_session(const benchmark_list& benchmarks, results& measured, const profiler* perf) {
    const std::size_t runs_each =
        (measured.repeat + (measured.system_calls ? 1 : 0) + (perf != nullptr ? 1 : 0)) *
        measured.allocators.size();
    tools::progress shown("run", benchmarks.size() * runs_each);
    try {
        for (const auto& each : benchmarks) {
            if (const std::optional<std::string> reason = each->unavailable()) {
                shown.skip(runs_each);
                shown.say(fmt::format("{} skipped: {}", each->about().name, *reason));
                measured.rows.push_back({.about = each->about(), .unavailable = *reason});
            } else {
                measured.rows.push_back(measure(*each, measured, perf, shown));
            }
        }
    } catch (const interrupted&) {
        measured.interrupted = true;
    }
}

} // namespace lowtide::bench
