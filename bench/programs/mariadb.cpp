// MariaDB: sysbench over a Unix socket. The tables fit into the buffer pool.
#include "programs/database.h"
#include "programs/sockets.h"
#include "programs/tools.h"

#include <fmt/format.h>

namespace lowtide::bench {

namespace fs = std::filesystem;

namespace {

class mariadb final : public database {
public:
    explicit mariadb(const program_settings& settings) : database(settings) {}

    std::optional<std::string> unavailable() const override {
        return missing({server_, install_, client_}, "MariaDB or sysbench",
                       "packages mariadb-server and sysbench");
    }

private:
    std::string process() const override { return "mariadbd"; }
    int stop() const override { return SIGTERM; }

    words server_words(const fs::path& directory) const override {
        return {server_,
                "--no-defaults",
                "--datadir=" + (directory / "data").string(),
                "--socket=" + socket(directory),
                "--pid-file=" + (directory / "pid").string(),
                "--skip-networking",
                "--innodb-buffer-pool-size=64M",
                "--innodb-log-file-size=16M",
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-flush-method=fsync",
                "--innodb-doublewrite=0"};
    }

    bool answers(const fs::path& directory) const override { return accepts(fs::path(socket(directory))); }

    void create(const fs::path& directory) const override {
        tool({install_, "--no-defaults", "--datadir=" + (directory / "data").string(),
              "--auth-root-authentication-method=normal", "--innodb-log-file-size=16M"});
    }

    void fill(const fs::path& directory) const override {
        sysbench(directory, {"oltp_read_write", "prepare"});
    }

    double transactions(const fs::path& directory, const words& load) const override {
        // "transactions:      4000   (1574.70 per sec.)"
        return number_after({"transactions:", "("}, sysbench(directory, load));
    }

    static std::string socket(const fs::path& directory) { return directory / "socket"; }

    std::string sysbench(const fs::path& directory, const words& options) const {
        words program{client_,
                      "--db-driver=mysql",
                      "--mysql-socket=" + socket(directory),
                      "--mysql-user=root",
                      "--mysql-db=test",
                      "--tables=16",
                      "--table-size=5000",
                      "--rand-seed=1"};
        program.insert(program.end(), options.begin(), options.end());
        return tool(std::move(program));
    }

    fs::path server_ = find_program("/usr/sbin/mariadbd"); // where PATH need not lead
    fs::path install_ = find_program("mariadb-install-db");
    fs::path client_ = find_program("sysbench");
};

} // namespace

void add_mariadb(benchmark_list& list, const program_settings& settings) {
    const auto server = std::make_shared<mariadb>(settings);
    const auto add = [&](const std::string& name, const std::string& what, const std::string& test,
                         unsigned transactions) {
        list.push_back(
            database_benchmark({"mariadb/" + name, "programs",
                                fmt::format("MariaDB under sysbench: {} transactions of four clients", what)},
                               server,
                               {test, "--threads=4", "--time=0",
                                fmt::format("--events={}", settings.share(transactions)), "run"}));
    };
    add("read", "read-only", "oltp_read_only", 8000);
    add("write", "read-write", "oltp_read_write", 6000);
}

} // namespace lowtide::bench
