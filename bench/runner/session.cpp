// See session.h.
#include "runner/session.h"

#include "runner/errors.h"
#include "runner/progress.h"

#include <fmt/format.h>

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

void count_system_calls(benchmark& subject, const allocator& on, cell& into, progress& shown) {
    if (!into.completed())
        return;
    const std::string what = fmt::format("{} on {}, its system calls", subject.about().name, on.name);
    shown.next(what);
    try {
        into.system_calls = subject.system_calls(on);
    } catch (const run_failed& problem) {
        into.failure = problem.what();
        shown.say(fmt::format("{} failed: {}", what, problem.what()));
    }
}

row measure(benchmark& subject, const results& session, progress& shown) {
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
    if (session.system_calls)
        for (std::size_t i = 0; i < allocators.size(); ++i)
            count_system_calls(subject, allocators[i], measured.cells[i], shown);
    return measured;
}

} // namespace

void run_session(const benchmark_list& benchmarks, results& measured) {
    const std::size_t runs_each =
        (measured.repeat + (measured.system_calls ? 1 : 0)) * measured.allocators.size();
    progress shown(benchmarks.size() * runs_each);
    try {
        for (const auto& each : benchmarks) {
            if (const std::optional<std::string> reason = each->unavailable()) {
                shown.skip(runs_each);
                shown.say(fmt::format("{} skipped: {}", each->about().name, *reason));
                measured.rows.push_back({.about = each->about(), .unavailable = *reason});
            } else {
                measured.rows.push_back(measure(*each, measured, shown));
            }
        }
    } catch (const interrupted&) {
        measured.interrupted = true;
    }
}

} // namespace lowtide::bench
