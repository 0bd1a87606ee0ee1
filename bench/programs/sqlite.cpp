// SQLite: a script on a database in memory, in one process; one operation is one row of its table.
#include "programs/batch.h"

#include <fmt/format.h>

namespace lowtide::bench {

namespace {

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

} // namespace

void add_sqlite(benchmark_list& list, const program_settings& settings) {
    const unsigned rows = settings.share(100'000);
    list.push_back(batch_benchmark(
        {"sqlite/memory", "programs", "sqlite3: a script on a database in memory, for each row"},
        {.program = "sqlite3",
         .package = "sqlite3",
         .arguments = {"-bail", "-init", "/dev/null", ":memory:"},
         .files = {{"script.sql", script(rows)}},
         .input = "script.sql",
         .operations = rows},
        settings));
}

} // namespace lowtide::bench
