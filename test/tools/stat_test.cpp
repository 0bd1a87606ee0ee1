// `lowtide stat`: the account of a running process, in each format.
#include "child.h"
#include "worker.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace lowtide::tools {
namespace {

using test::child;
using test::child_result;
using test::worker;

constexpr std::size_t MiB = std::size_t{1} << 20;

child_result stat(const std::string& pid, std::vector<std::string> words = {}, unsigned user = 0,
                  const char* wait = "20") {
    words.insert(words.begin(), {LOWTIDE_COMMAND, "stat", pid, "--wait", wait});
    return child{words, {}, {}, "/", user}.run();
}

nlohmann::json account_of(const worker& w) {
    const child_result result = stat(std::to_string(w.pid()), {"--json"});
    EXPECT_EQ(result.exit_code(), 0) << result.errors;
    return nlohmann::json::parse(result.output);
}

TEST(stat, the_parts_add_up_to_what_is_resident) {
    for (const int threads : {1, 3}) {
        const worker w(threads);
        const nlohmann::json account = account_of(w);
        std::size_t sum = 0;
        for (const auto& [name, part] : account["parts"].items())
            sum += part["resident_bytes"].get<std::size_t>();
        // Its own blocks of 3 MB come and go meanwhile.
        EXPECT_NEAR(static_cast<double>(sum), account["resident_bytes"].get<double>(), 4.0 * MiB);
        const auto live = account["parts"]["live"]["resident_bytes"].get<double>();
        EXPECT_NEAR(live, 30.0 * MiB, 6.0 * MiB);
        EXPECT_EQ(account["lowtide_account"], 1);
        EXPECT_EQ(account["pid"], w.pid());
    }
}

TEST(stat, json_has_what_the_manual_says) {
    const worker w(2, "sample:4K,limit:1G", "idle");
    const nlohmann::json account = account_of(w);
    for (const char* member : {"lowtide_account",
                               "version",
                               "pid",
                               "taken_ns",
                               "cost_ns",
                               "resident_bytes",
                               "swapped_bytes",
                               "reserved_bytes",
                               "committed_bytes",
                               "held_bytes",
                               "soft_limit_bytes",
                               "hard_limit_bytes",
                               "returned_bytes_total",
                               "purges_total",
                               "huge_pages_made_total",
                               "requested",
                               "parts",
                               "classes",
                               "larger",
                               "pools",
                               "heaps",
                               "unnamed"})
        EXPECT_TRUE(account.contains(member)) << member;
    EXPECT_EQ(account.size(), 22u) << "the manual has no more";
    EXPECT_EQ(account["soft_limit_bytes"], std::size_t{1} << 30);
    EXPECT_TRUE(account["hard_limit_bytes"].is_null());
    ASSERT_FALSE(account["classes"].empty());
    for (const auto& c : account["classes"])
        EXPECT_LE(c["live"].get<std::size_t>() + c["cached"].get<std::size_t>(),
                  c["room"].get<std::size_t>());
    // Blocks of 100,000 bytes have 131,072.
    const auto waste = account["requested"]["waste_bytes"].get<double>();
    EXPECT_NEAR(waste / (waste + account["requested"]["bytes"].get<double>()), 1 - 100'000.0 / 131'072, 0.05);
    EXPECT_GT(account["requested"]["samples"], 100);
}

TEST(stat, a_person_sees_the_same) {
    const worker w(2, "decay:-1", "idle");
    const child_result result = stat(std::to_string(w.pid()));
    EXPECT_EQ(result.exit_code(), 0) << result.errors;
    for (const char* line :
         {"\nlive ", "\nrun_free ", "\nresident ", "objects that the program holds", "  131072 "})
        EXPECT_NE(result.output.find(line), std::string::npos) << line << result.output;
}

TEST(stat, openmetrics_is_read_by_prometheus) {
    const worker w(2, "limit:1G", "idle");
    const child_result text = stat(std::to_string(w.pid()), {"--openmetrics"});
    ASSERT_EQ(text.exit_code(), 0) << text.errors;
    EXPECT_TRUE(text.output.ends_with("\n# EOF\n"));
    const child_result read =
        child{{"/usr/bin/python3", LOWTIDE_SOURCES "/read_openmetrics.py"}, {}, text.output, "/", 0}.run();
    if (read.exit_code() == 77)
        GTEST_SKIP() << "python3-prometheus-client is not installed";
    ASSERT_EQ(read.exit_code(), 0) << read.errors << text.output;
    for (const char* family :
         {"lowtide info 1\n", "lowtide_process_resident_bytes gauge 1\n", "lowtide_resident_bytes gauge 14\n",
          "lowtide_soft_limit_bytes gauge 1\n", "lowtide_returned_bytes counter 1\n"})
        EXPECT_NE(read.output.find(family), std::string::npos) << family << read.output;
}

TEST(stat, who_cannot_be_asked_is_said) {
    const child_result own = stat(std::to_string(getpid()), {}, 0, "0.1");
    EXPECT_EQ(own.exit_code(), 125);
    EXPECT_NE(own.errors.find("does not answer"), std::string::npos) << own.errors;
    const child_result none = stat("99999999");
    EXPECT_EQ(none.exit_code(), 125);
    EXPECT_NE(none.errors.find("there is no process 99999999"), std::string::npos) << none.errors;
    const child_result both = stat("1", {"--json", "--openmetrics"});
    EXPECT_EQ(both.exit_code(), 125);
    if (geteuid() == 0) {
        const worker w(2);
        const child_result other = stat(std::to_string(w.pid()), {}, 65534);
        EXPECT_EQ(other.exit_code(), 125);
        EXPECT_NE(other.errors.find("is another user's"), std::string::npos) << other.errors;
    }
}

std::string wait_for_file(const std::filesystem::path& file) {
    std::string text;
    while (!text.ends_with("# EOF\n")) {
        std::ifstream in(file);
        text.assign(std::istreambuf_iterator<char>(in), {});
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return text;
}

TEST(stat, a_file_has_it_as_long_as_the_process_runs) {
    const test::temporary_folder folder;
    setenv("LOWTIDE_ACCOUNT_DIR", folder.path().c_str(), 1);
    for (const int threads : {1, 2}) {
        worker w(threads, "account:1");
        const std::filesystem::path file = folder.path() / (std::to_string(w.pid()) + ".prom");
        EXPECT_NE(wait_for_file(file).find("lowtide_resident_bytes{part=\"live\"} "), std::string::npos);
        struct stat first {};
        struct stat later {};
        ASSERT_EQ(::stat(file.c_str(), &first), 0);
        do // another file, with the same name
            ASSERT_EQ(::stat(file.c_str(), &later), 0);
        while (later.st_ino == first.st_ino && later.st_mtim.tv_sec == first.st_mtim.tv_sec);
        w.end();
        EXPECT_FALSE(std::filesystem::exists(file));
        EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
    }
    unsetenv("LOWTIDE_ACCOUNT_DIR");
}

// Until it has said so the program goes on, and three seconds more, in which it mustn't say it again.
TEST(stat, a_file_that_cannot_be_written_is_said_once_and_the_program_goes_on) {
    const test::temporary_folder folder;
    const child_result result =
        child{{"/bin/sh", "-c",
               "cd $FOLDER; mkfifo in; LD_PRELOAD=" LOWTIDE_LIBRARY " " LOWTIDE_FIXTURES
               "/works 2 <in 2>err & exec 3>in; until test -s err; do sleep 0.05; done; "
               "sleep 3; exec 3>&-; wait $!; echo $?; cat err"},
              {{"LOWTIDE_CONF", "account:1"},
               {"LOWTIDE_ACCOUNT_DIR", "/nowhere"},
               {"FOLDER", folder.path().string()}},
              {},
              "/",
              0}
            .run();
    const std::size_t said = result.output.find("lowtide: the account can't be written to /nowhere/");
    EXPECT_NE(said, std::string::npos) << result.output;
    EXPECT_EQ(result.output.find("lowtide: ", said + 1), std::string::npos) << result.output;
    EXPECT_NE(result.output.find("\n0\n"), std::string::npos) << result.output;
}

} // namespace
} // namespace lowtide::tools
