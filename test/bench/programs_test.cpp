// The real programs: what they share, tried on programs that every Debian has, and what the list says of
// those that are missing.
#include "programs/batch.h"
#include "programs/server.h"
#include "programs/sockets.h"
#include "programs/tools.h"
#include "runner/errors.h"
#include "support.h"
#include "witness/object_of.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace lowtide::bench {
namespace {

namespace fs = std::filesystem;
using test::bench_command;
using test::message_of;

class programs : public testing::Test {
protected:
    /// Its measurement on libc's own malloc, or on one of the fakes.
    measurement run(batch work, const std::string& file = object_of("malloc")) const {
        const allocator on{.name = "own", .file = file, .loaded = file};
        return batch_benchmark({"one", "programs", ""}, std::move(work), settings_)->run(on);
    }

    /// The same of a script for the shell, which ends as cat, for dash leaves by _exit.
    measurement run_script(const std::string& script, batch rest = {}) const {
        rest.program = "/bin/sh";
        rest.files["script"] = script + "\nexec cat /dev/null\n";
        rest.arguments.insert(rest.arguments.begin(), "script");
        rest.process = "cat";
        return run(rest);
    }

    const supervisor processes_;
    const program_settings settings_{processes_, LOWTIDE_WITNESS, 1};
};

TEST_F(programs, what_a_batch_is_given_is_what_it_finds) {
    const batch rest{.arguments = {"second"},
                     .files = {{"input", "of the input\n"}},
                     .input = "input",
                     .result = "result",
                     .variables = {{"THIRD", "third"}}};
    const std::string written = run_script(R"(read first; echo "$first $1 $THIRD" >result)", rest).checksum;
    EXPECT_EQ(written, checksum_of("of the input second third\n"));
}

TEST_F(programs, the_result_of_a_batch_is_its_output_if_it_names_no_file) {
    EXPECT_EQ(run_script("echo words").checksum, checksum_of("words\n"));
    EXPECT_EQ(run_script("echo words", {.deterministic = false}).checksum, "");
}

TEST_F(programs, a_batch_has_the_time_of_one_of_its_operations) {
    EXPECT_GT(run_script("sleep 0.1").ns_per_operation, 1e8);
    EXPECT_LT(run_script("sleep 0.1", {.operations = 1'000'000}).ns_per_operation, 1e5);
}

TEST_F(programs, a_batch_that_fails_says_how) {
    EXPECT_EQ(message_of([&] { run_script("echo trouble >&2; exit 3"); }), "sh: exit code 3: trouble");
}

TEST_F(programs, the_malloc_of_a_program_at_a_fixed_address_is_found) {
    for (const char* const file : {object_of("malloc"), LOWTIDE_FAKE_PLAIN})
        EXPECT_GT(run({.program = LOWTIDE_FIXED_ADDRESS}, file).peak_rss_kib, 0);
}

TEST(program_tools, the_number_behind_labels_is_read) {
    EXPECT_EQ(number_after({"tps ="}, "latency = 5 ms\ntps = 1234.5 (without)\n"), 1234.5);
    EXPECT_EQ(number_after({"\"SET", "\",\""}, "\"a\",\"1\"\n\"SET (of all)\",\"99.5\",\"1\""), 99.5);
    for (const char* const report : {"", "tps", "tps =", "tps = many", "tps = 0", "tps = -1"})
        EXPECT_EQ(message_of([&] {
                      number_after({"tps", "="}, report);
                  }),
                  "no number follows 'tps … =' in what was reported");
}

TEST(program_tools, a_program_is_missing_if_one_of_its_parts_is) {
    EXPECT_EQ(missing({"/bin/a", "/bin/b"}, "a", "packages a and b"), std::nullopt);
    EXPECT_EQ(missing({"/bin/a", ""}, "a", "packages a and b"),
              "a is not installed (Debian packages a and b)");
}

TEST(program_tools, a_server_is_seen_to_listen) {
    const std::uint16_t port = free_port();
    EXPECT_FALSE(accepts(port));

    const scratch files;
    const fs::path place = files.path() / "socket";
    EXPECT_FALSE(accepts(place));
    const descriptor listening(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    place.string().copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(bind(listening.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_FALSE(accepts(place));
    ASSERT_EQ(listen(listening.get(), 1), 0);
    EXPECT_TRUE(accepts(place));
}

/// The lines of --list on programs, where PATH leads to none.
std::vector<std::string> listed_without_path() {
    bench_command command({"--list", "programs"});
    command.set("PATH", "/nowhere");
    std::istringstream output(command.run().output);
    std::vector<std::string> lines;
    for (std::string line; std::getline(output, line) && line != "allocators";)
        if (line.starts_with("  "))
            lines.push_back(line.substr(2));
    return lines;
}

/// These have a place of their own, and are there or not.
bool found_without_path(const std::string& line) {
    return line.starts_with("postgres/") || line.starts_with("python/");
}

/// Whether it is installed for them.
bool is_listed(const std::string& package) {
    const std::string name = std::regex_replace(package, std::regex(R"(\+)"), R"(\+)");
    return std::regex_search(read_file(LOWTIDE_PROJECT "/packaging/packages.txt"),
                             std::regex("\n" + name + " +# group: ([^,]*[|])?(build|bench-programs)[|,]"));
}

TEST(program_list, each_program_that_is_missing_names_packages_that_are_installed_for_it) {
    const std::regex reason(R"(.* \[.* is not installed \(Debian packages? ([^)]*)\)\])");
    std::set<std::string> programs;
    for (const std::string& line : listed_without_path()) {
        programs.insert(line.substr(0, line.find('/')));
        std::smatch match;
        if (!std::regex_match(line, match, reason)) {
            EXPECT_TRUE(found_without_path(line)) << line;
            continue;
        }
        std::istringstream packages(match[1]);
        for (std::string package; packages >> package;)
            EXPECT_TRUE(package == "and" || is_listed(package)) << package;
    }
    EXPECT_EQ(programs,
              (std::set<std::string>{"compile", "ghostscript", "lua", "mariadb", "memcached", "nginx", "node",
                                     "postgres", "python", "redis", "rocksdb", "sqlite", "z3"}));
}

TEST(program_list, a_server_and_a_script_run_where_they_are_installed) {
    std::vector<std::string> words{"nginx/static", "lua", "--quick", "--repeat", "1", "--json", "-"};
    for (const char* const other : {"lowtide", "jemalloc", "tcmalloc", "mimalloc"})
        words.insert(words.end(), {"--without", other});
    const ended end = bench_command(words).run();
    ASSERT_TRUE(end.succeeded()) << end.reason();
    for (const nlohmann::json& each : nlohmann::json::parse(end.output)["workloads"])
        EXPECT_TRUE(each.contains("skipped") || each["results"]["glibc"]["status"] == "ok") << each;
}

} // namespace
} // namespace lowtide::bench
