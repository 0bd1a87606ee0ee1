// PostgreSQL: pgbench over a Unix socket.
#include "programs/database.h"
#include "programs/tools.h"

#include <charconv>
#include <fmt/format.h>

namespace lowtide::bench {

namespace fs = std::filesystem;

namespace {

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

class postgres final : public database {
public:
    explicit postgres(const program_settings& settings) : database(settings) {}

    std::optional<std::string> unavailable() const override {
        return missing({binaries_}, "PostgreSQL", "package postgresql-15");
    }

private:
    std::string process() const override { return "postgres"; }
    int stop() const override { return SIGINT; }

    words server_words(const fs::path& directory) const override {
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

    /// It may listen before it is ready.
    bool answers(const fs::path& directory) const override {
        return succeeds({binaries_ / "pg_isready", "-q", "-h", directory});
    }

    void create(const fs::path& directory) const override {
        tool({binaries_ / "initdb", "-D", directory / "data", "-U", "bench", "-A", "trust", "-E", "UTF8",
              "--locale=C", "--no-sync"});
    }

    void fill(const fs::path& directory) const override { pgbench(directory, {"-i", "-q", "-s", "2"}); }

    double transactions(const fs::path& directory, const words& load) const override {
        return number_after({"tps ="}, pgbench(directory, load));
    }

    std::string pgbench(const fs::path& directory, const words& options) const {
        words program{binaries_ / "pgbench", "-h", directory, "-U", "bench", "-n"};
        program.insert(program.end(), options.begin(), options.end());
        program.push_back("postgres"); // the database
        return tool(std::move(program));
    }

    fs::path binaries_ = find_binaries();
};

} // namespace

void add_postgres(benchmark_list& list, const program_settings& settings) {
    const auto server = std::make_shared<postgres>(settings);
    const auto add = [&](const std::string& name, const std::string& what, database::words options,
                         unsigned transactions) {
        options.insert(options.end(),
                       {"-c", "4", "-j", "1", "-t", fmt::format("{}", settings.share(transactions))});
        list.push_back(database_benchmark({"postgres/" + name, "programs",
                                           fmt::format("PostgreSQL under pgbench: {} by four clients", what)},
                                          server, std::move(options)));
    };
    add("select", "look-ups", {"-S"}, 5000);
    add("tpcb", "TPC-B-like transactions", {}, 1000);
}

} // namespace lowtide::bench
