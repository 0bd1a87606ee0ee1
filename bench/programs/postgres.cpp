// PostgreSQL: pgbench over a Unix socket against a server whose data directory is a copy of one that is made
// once. As root, all of it runs as an unprivileged user, since PostgreSQL refuses to be root.
#include "programs/server.h"
#include "programs/witnessed.h"
#include "runner/errors.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

namespace lowtide::bench {

namespace fs = std::filesystem;

namespace {

constexpr seconds time_limit{180};

/// Debian keeps the server's programs out of PATH, one directory for each version; the newest counts.
fs::path find_binaries() {
    std::error_code none;
    fs::path newest;
    int newest_version = 0;
    for (const fs::directory_entry& entry : fs::directory_iterator("/usr/lib/postgresql", none)) {
        const std::string name = entry.path().filename();
        int version = 0;
        std::from_chars(name.data(), name.data() + name.size(), version);
        if (version > newest_version && fs::exists(entry.path() / "bin/postgres")) {
            newest_version = version;
            newest = entry.path() / "bin";
        }
    }
    return newest.empty() ? find_program("postgres").parent_path() : newest;
}

/// Nobody else if we are not root.
std::optional<account> find_account() {
    if (geteuid() != 0)
        return std::nullopt;
    for (const char* const name : {"postgres", "nobody"})
        if (const passwd* const entry = getpwnam(name))
            return account{entry->pw_uid, entry->pw_gid};
    return std::nullopt;
}

double transactions_per_second(const std::string& report) {
    constexpr std::string_view begin = "tps = ";
    const std::size_t at = report.find(begin);
    double rate = 0;
    if (at != std::string::npos)
        std::from_chars(report.data() + at + begin.size(), report.data() + report.size(), rate);
    if (!(rate > 0))
        throw run_failed("pgbench did not report its transactions per second");
    return rate;
}

/// What both workloads share: the programs, and a data directory to start from.
class installation {
public:
    explicit installation(const program_settings& settings) : settings_(settings) {}

    std::optional<std::string> unavailable() const {
        if (!binaries_.empty() && fs::exists(binaries_ / "pgbench"))
            return std::nullopt;
        return "PostgreSQL is not installed (Debian package postgresql)";
    }

    /// Makes `data` a fresh data directory, owned by the account.
    void copy_to(const fs::path& data) {
        if (!template_)
            make_template();
        tool({find_program("cp"), "-a", template_->path() / "data", data});
    }

    launch own(launch what) const {
        what.run_as = account_ ? &*account_ : nullptr;
        return what;
    }

    std::vector<std::string> server_words(const fs::path& directory) const {
        return {binaries_ / "postgres",
                "-D",
                directory / "data",
                "-k",
                directory,
                "-c",
                "listen_addresses=",
                "-c",
                "fsync=off",
                "-c",
                "synchronous_commit=off",
                "-c",
                "autovacuum=off",
                "-c",
                "shared_buffers=32MB",
                "-c",
                "max_wal_size=1GB",
                "-c",
                "jit=off"};
    }

    bool answers(const fs::path& directory) const {
        return settings_.processes
            .run(own({.words = {binaries_ / "pg_isready", "-q", "-h", directory}}), time_limit)
            .succeeded();
    }

    std::string pgbench(const fs::path& directory, std::vector<std::string> options) const {
        std::vector<std::string> words{binaries_ / "pgbench", "-h", directory, "-U", "bench", "-n"};
        words.insert(words.end(), options.begin(), options.end());
        words.push_back("postgres"); // the database
        return tool(std::move(words));
    }

    const std::optional<account>& owner() const { return account_; }

private:
    std::string tool(std::vector<std::string> words) const {
        const std::string name = fs::path(words.front()).filename();
        const ended end = settings_.processes.run(own({.words = std::move(words)}), time_limit);
        if (!end.succeeded())
            throw run_failed(fmt::format("{}: {}", name, end.reason()));
        return end.output;
    }

    void make_template() {
        auto made = std::make_unique<scratch>();
        const fs::path& directory = made->path();
        if (account_ && chown(directory.c_str(), account_->user, account_->group) != 0)
            throw run_failed("cannot give a directory to the user that PostgreSQL runs as");
        tool({binaries_ / "initdb", "-D", directory / "data", "-U", "bench", "-A", "trust", "-E", "UTF8",
              "--locale=C", "--no-sync"});
        server postgres(settings_.processes, own({.words = server_words(directory)}), SIGINT);
        postgres.await([&] { return answers(directory); });
        pgbench(directory, {"-i", "-q", "-s", "2"});
        postgres.stop();
        template_ = std::move(made);
    }

    const program_settings& settings_;
    fs::path binaries_ = find_binaries();
    std::optional<account> account_ = find_account();
    std::unique_ptr<scratch> template_;
};

class postgres final : public benchmark {
public:
    postgres(description about, std::vector<std::string> options, unsigned transactions,
             const program_settings& settings, std::shared_ptr<installation> installed)
        : benchmark(std::move(about)), options_(std::move(options)), settings_(settings),
          installed_(std::move(installed)) {
        options_.insert(options_.end(), {"-c", "4", "-j", "1", "-t", fmt::format("{}", transactions)});
    }

    std::optional<std::string> unavailable() const override { return installed_->unavailable(); }

    measurement run(const allocator& allocator) override {
        const witnessed on(allocator, settings_);
        const fs::path& directory = on.directory();
        if (installed_->owner())
            on.give_to(*installed_->owner());
        installed_->copy_to(directory / "data");
        server running(settings_.processes, installed_->own(on.prepare(installed_->server_words(directory))),
                       SIGINT);
        running.await([&] { return installed_->answers(directory); });
        const double rate = transactions_per_second(installed_->pgbench(directory, options_));
        const ended end = running.stop();
        return on.account_for("postgres", 1e9 / rate, end.usage);
    }

private:
    std::vector<std::string> options_;
    const program_settings& settings_;
    std::shared_ptr<installation> installed_;
};

} // namespace

void add_postgres(benchmark_list& list, const program_settings& settings) {
    const auto installed = std::make_shared<installation>(settings);
    list.push_back(std::make_unique<postgres>(
        description{"postgres/select", "programs", "PostgreSQL under pgbench: look-ups by four clients"},
        std::vector<std::string>{"-S"}, settings.share(5000), settings, installed));
    list.push_back(std::make_unique<postgres>(
        description{"postgres/tpcb", "programs",
                    "PostgreSQL under pgbench: TPC-B-like transactions by four clients"},
        std::vector<std::string>{}, settings.share(1000), settings, installed));
}

} // namespace lowtide::bench
