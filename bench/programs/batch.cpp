// See batch.h.
#include "programs/batch.h"

#include "programs/tools.h"
#include "programs/witnessed.h"

#include <chrono>
#include <fmt/format.h>

namespace lowtide::bench {

namespace fs = std::filesystem;

namespace {

class batch_run final : public benchmark {
public:
    batch_run(description about, batch work, const program_settings& settings)
        : benchmark(std::move(about)), work_(std::move(work)), settings_(settings),
          program_(find_program(work_.program)) {}

    std::optional<std::string> unavailable() const override {
        return missing({program_}, name(), fmt::format("package {}", work_.package));
    }

    measurement run(const allocator& allocator) override {
        const witnessed on(allocator, settings_);
        const launch what = ready(on);
        const auto begin = std::chrono::steady_clock::now();
        const ended end = run_to_end(what, settings_.processes);
        const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
        measurement result = on.account_for(process(), took.count() / work_.operations, end.usage);
        if (work_.deterministic)
            result.checksum =
                checksum_of(work_.result.empty() ? end.output : read_file(what.directory / work_.result));
        return result;
    }

    std::optional<call> profile(const allocator& allocator, const profiler& perf) override {
        const witnessed on(allocator, settings_);
        return on.profile(process(), ready(on), perf, program_time_limit);
    }

private:
    std::string name() const { return fs::path(work_.program).filename(); }
    std::string process() const { return work_.process.empty() ? name() : work_.process; }

    launch ready(const witnessed& on) const {
        launch what = on.prepare({program_});
        what.words.insert(what.words.end(), work_.arguments.begin(), work_.arguments.end());
        what.variables.insert(work_.variables.begin(), work_.variables.end());
        what.directory = on.directory() / "work";
        what.variables["TMPDIR"] = what.directory;
        fs::create_directory(what.directory);
        for (const auto& [file, text] : work_.files)
            write_file(what.directory / file, text);
        if (!work_.input.empty())
            what.input = what.directory / work_.input;
        return what;
    }

    batch work_;
    const program_settings& settings_;
    fs::path program_;
};

} // namespace

std::unique_ptr<benchmark> batch_benchmark(description about, batch work, const program_settings& settings) {
    return std::make_unique<batch_run>(std::move(about), std::move(work), settings);
}

} // namespace lowtide::bench
