// SQLite: a script on a database in memory, in one process; one operation is one row of its table.
#include "programs/witnessed.h"
#include "runner/errors.h"

#include <chrono>
#include <fmt/format.h>

namespace lowtide::bench {

namespace fs = std::filesystem;

namespace {

constexpr seconds time_limit{180};

/// Fills, indexes, changes and reads a table as a whole, and then row by row, each time in a statement of its
/// own.
std::string script(unsigned rows) {
    std::string text = fmt::format(R"(
CREATE TABLE item(id INTEGER PRIMARY KEY, owner INTEGER, name TEXT, body TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})
INSERT INTO item SELECT i, i * 7919 % 5003, printf('item-%d', i * 104729 % 1000003),
                        substr(hex(zeroblob(200)), 1, 40 + i * 31 % 300) FROM n;
CREATE INDEX by_owner ON item(owner);
CREATE INDEX by_name ON item(name);
SELECT count(*), sum(length(body)) FROM item;
UPDATE item SET body = body || name WHERE id % 3 = 0;
SELECT owner, count(*), group_concat(substr(name, 6, 3)) FROM item GROUP BY owner ORDER BY 2 DESC, 1 LIMIT 20;
SELECT sum(json_extract(json_object('id', id, 'name', name, 'tags', json_array(owner, id)), '$.tags[1]')) FROM item;
SELECT count(DISTINCT upper(name) || owner) FROM item;
DELETE FROM item WHERE id % 2 = 0;
)",
                                   rows);
    for (unsigned id = 1; id <= rows; id += 4)
        text += fmt::format("SELECT name, length(body) FROM item WHERE id = {0};\n"
                            "INSERT INTO item VALUES({1}, {0}, 'again-{0}', 'a body of {0}');\n",
                            id, rows + id);
    return text + "SELECT count(*), min(name), max(name), sum(length(body)) FROM item;\n";
}

class sqlite final : public benchmark {
public:
    sqlite(description about, unsigned rows, const program_settings& settings)
        : benchmark(std::move(about)), rows_(rows), settings_(settings), program_(find_program("sqlite3")) {}

    std::optional<std::string> unavailable() const override {
        if (program_.empty())
            return "sqlite3 is not installed (Debian package sqlite3)";
        return std::nullopt;
    }

    measurement run(const allocator& allocator) override {
        const witnessed on(allocator, settings_);
        const launch what = ready(on);
        const auto begin = std::chrono::steady_clock::now();
        const ended end = settings_.processes.run(what, time_limit);
        const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
        if (!end.succeeded())
            throw run_failed(end.reason());
        measurement result = on.account_for("sqlite3", took.count() / rows_, end.usage);
        result.checksum = checksum_of(end.output);
        return result;
    }

    std::optional<call> profile(const allocator& allocator, const profiler& perf) override {
        const witnessed on(allocator, settings_);
        return on.profile("sqlite3", ready(on), perf, time_limit);
    }

private:
    launch ready(const witnessed& on) const {
        launch what = on.prepare({program_, "-bail", "-init", "/dev/null", ":memory:"});
        what.input = on.directory() / "script.sql";
        write_file(what.input, script(rows_));
        return what;
    }

    unsigned rows_;
    const program_settings& settings_;
    fs::path program_;
};

} // namespace

void add_sqlite(benchmark_list& list, const program_settings& settings) {
    list.push_back(std::make_unique<sqlite>(
        description{"sqlite/memory", "programs", "sqlite3: a script on a database in memory, for each row"},
        settings.share(100'000), settings));
}

} // namespace lowtide::bench
