// A database server under a load. Its data directory is filled once in a session and copied for each run; as
// root, all of it runs as nobody.
#pragma once

#include "programs/server.h"
#include "programs/unprivileged.h"

namespace lowtide::bench {

/// One kind of server. A server has a directory for its socket, and its data is below that in "data".
class database {
public:
    using words = std::vector<std::string>;

    explicit database(const program_settings& settings) : settings_(settings) {}
    virtual ~database() = default;
    database(const database&) = delete;
    database& operator=(const database&) = delete;

    virtual std::optional<std::string> unavailable() const = 0;
    measurement run(const allocator& allocator, const words& load);

protected:
    /// Runs a program as the server's user, to its end. Throws run_failed unless it succeeds.
    std::string tool(words program) const;
    bool succeeds(words program) const;

private:
    using path = std::filesystem::path;

    virtual std::string process() const = 0; // the name of the server's processes
    virtual int stop() const = 0;
    virtual words server_words(const path& directory) const = 0;
    virtual bool answers(const path& directory) const = 0;
    virtual void create(const path& directory) const = 0; // the data directory
    virtual void fill(const path& directory) const = 0;   // the tables, while the server runs
    /// Returns transactions per second.
    virtual double transactions(const path& directory, const words& load) const = 0;

    void make_template();

    const program_settings& settings_;
    unprivileged user_;
    std::unique_ptr<scratch> template_;
};

/// `load` is for database::transactions.
std::unique_ptr<benchmark> database_benchmark(description about, std::shared_ptr<database> server,
                                              database::words load);

} // namespace lowtide::bench
