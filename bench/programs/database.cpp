// See database.h.
#include "programs/database.h"

#include "programs/tools.h"

namespace lowtide::bench {

namespace {

constexpr seconds short_time{20};

class under_load final : public benchmark {
public:
    under_load(description about, std::shared_ptr<database> server, database::words load)
        : benchmark(std::move(about)), server_(std::move(server)), load_(std::move(load)) {}

    std::optional<std::string> unavailable() const override { return server_->unavailable(); }
    measurement run(const allocator& allocator) override { return server_->run(allocator, load_); }

private:
    std::shared_ptr<database> server_;
    database::words load_;
};

} // namespace

measurement database::run(const allocator& allocator, const words& load) {
    if (!template_)
        make_template();
    const witnessed on(allocator, settings_);
    const path& directory = on.directory();
    user_.give(directory);
    tool({find_program("cp"), "-a", "--reflink=auto", template_->path() / "data", directory / "data"});
    return measure({.name = process(),
                    .what = user_.own(on.prepare(server_words(directory))),
                    .stop = stop(),
                    .answers = [&] { return answers(directory); },
                    .load = [&] { return transactions(directory, load); }},
                   on, settings_.processes);
}

std::string database::tool(words program) const {
    return run_to_end(user_.own({.words = std::move(program)}), settings_.processes).output;
}

bool database::succeeds(words program) const {
    return settings_.processes.run(user_.own({.words = std::move(program)}), short_time).succeeded();
}

void database::make_template() {
    auto made = std::make_unique<scratch>();
    const path& directory = made->path();
    user_.give(directory);
    create(directory);
    server running(settings_.processes, user_.own({.words = server_words(directory)}), stop());
    running.await([&] { return answers(directory); });
    fill(directory);
    running.stop();
    template_ = std::move(made);
}

std::unique_ptr<benchmark> database_benchmark(description about, std::shared_ptr<database> server,
                                              database::words load) {
    return std::make_unique<under_load>(std::move(about), std::move(server), std::move(load));
}

} // namespace lowtide::bench
