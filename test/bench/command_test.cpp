// `lowtide bench` as a whole, on the fastest workloads and on allocators made for it.
#include "report/report.h"
#include "support.h"

#include <algorithm>
#include <csignal>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lowtide::bench {
namespace {

using nlohmann::json;
using test::bench_command;
using test::exit_code;
using test::quickly;
using test::says;

TEST(bench, a_given_allocator_is_measured_and_shown_beside_glibc) {
    const bench_command command(quickly({"pair/16", "--alloc", "own=" LOWTIDE_FAKE_PLAIN}));
    const ended end = command.run();
    EXPECT_EQ(exit_code(end), 0) << end.errors;
    EXPECT_TRUE(says(end.output, "own"));
    EXPECT_TRUE(says(end.output, "1 of 1 workloads"));
    EXPECT_TRUE(command.leftovers().empty());
}

TEST(bench, the_json_has_every_run_its_figures_and_the_standings) {
    const ended end =
        bench_command(quickly({"pair/16", "--alloc", "own=" LOWTIDE_FAKE_PLAIN, "--json", "-"})).run();
    ASSERT_EQ(exit_code(end), 0) << end.errors;
    const json report = json::parse(end.output);
    EXPECT_EQ(report["format"], "lowtide-bench");
    EXPECT_EQ(report["version"], 1);
    EXPECT_EQ(report["settings"]["repeat"], 2);
    EXPECT_EQ(report["allocators"][1]["file"], LOWTIDE_FAKE_PLAIN);
    ASSERT_EQ(report["workloads"].size(), 1u);
    EXPECT_EQ(report["workloads"][0]["name"], "pair/16");
    for (const char* const allocator : {"glibc", "own"}) {
        const json& result = report["workloads"][0]["results"][allocator];
        EXPECT_EQ(result["status"], "ok");
        EXPECT_EQ(result["runs"].size(), 2u);
        for (const char* const metric : {"time", "peak_rss", "minor_faults"}) {
            EXPECT_LE(result[metric]["min"], result[metric]["median"]);
            EXPECT_LE(result[metric]["median"], result[metric]["max"]);
            EXPECT_GE(result[metric]["ratio"], 1);
            EXPECT_GE(report["summary"]["allocators"][allocator][metric]["geometric_mean"], 1);
        }
    }
}

TEST(bench, system_calls_are_those_of_the_allocator_and_its_process) {
    if (find_program("strace").empty())
        GTEST_SKIP() << "strace is not installed";
    const ended end = bench_command(quickly({"large/pair/8M", "--alloc", "own=" LOWTIDE_FAKE_PLAIN,
                                             "--system-calls", "--json", "-"}))
                          .run();
    ASSERT_EQ(exit_code(end), 0) << end.errors;
    const json report = json::parse(end.output);
    for (const char* const allocator : {"glibc", "own"}) {
        const json& calls = report["workloads"][0]["results"][allocator]["system_calls"];
        EXPECT_GT(calls["median"], 20); // a process's start takes that many
        EXPECT_TRUE(report["summary"]["allocators"][allocator]["system_calls"].contains("to_others"));
    }
}

TEST(bench, a_history_grows_by_a_session_and_the_second_is_compared_with_the_first) {
    const bench_command command(quickly({"pair/16", "--history", "history"}));
    EXPECT_TRUE(says(command.run().output, "no session of such a machine"));
    EXPECT_TRUE(says(command.run().output, "since 20"));
    const std::string lines = read_file(command.file("history"));
    EXPECT_EQ(std::ranges::count(lines, '\n'), 2);
}

TEST(bench, a_file_that_is_no_history_is_refused_before_anything_is_measured) {
    const bench_command command(quickly({"pair/16", "--history", "history"}));
    write_file(command.file("history"), "something else\n");
    const ended end = command.run();
    EXPECT_EQ(exit_code(end), 125);
    EXPECT_TRUE(says(end.errors, "history:1: not a session"));
    EXPECT_EQ(read_file(command.file("history")), "something else\n");
}

TEST(bench, counting_system_calls_needs_strace) {
    bench_command command(quickly({"pair/16", "--system-calls"}));
    command.set("PATH", "/nowhere");
    const ended end = command.run();
    EXPECT_EQ(exit_code(end), 125);
    EXPECT_TRUE(says(end.errors, "needs strace, which is not installed"));
}

TEST(bench, the_page_is_one_file_with_the_results_in_it) {
    const bench_command command(quickly({"pair/16", "--html", "page.html", "--json", "results.json"}));
    ASSERT_EQ(exit_code(command.run()), 0);
    const std::string page = read_file(command.file("page.html"));
    EXPECT_TRUE(says(page, read_file(command.file("results.json"))));
    for (const char* const outside : {"{{", "src=", "<link rel=\"stylesheet\"", "@import"})
        EXPECT_EQ(page.find(outside), std::string::npos) << outside;
}

TEST(html_report, nothing_in_the_results_ends_the_script_element) {
    const std::string page = html_report(R"({"name": "</script>{{page.js}}"})");
    EXPECT_TRUE(says(page, R"("\u003c/script>{{page.js}}")"));
}

TEST(bench, a_library_without_malloc_is_refused) {
    const ended end = bench_command(quickly({"pair/16", "--alloc", "own=" LOWTIDE_FAKE_NONE})).run();
    EXPECT_EQ(exit_code(end), 125);
    EXPECT_TRUE(says(end.errors, "allocator own: " LOWTIDE_FAKE_NONE " cannot be used: malloc comes from"));
    EXPECT_EQ(end.output, "");
}

TEST(bench, a_file_that_is_no_library_is_refused) {
    const ended end = bench_command(quickly({"pair/16", "--alloc", "own=/proc/self/status"})).run();
    EXPECT_EQ(exit_code(end), 125);
    EXPECT_TRUE(says(end.errors, "allocator own: "));
}

TEST(bench, an_allocator_that_is_missing_or_not_said_where_is_an_error) {
    const ended missing = bench_command(quickly({"pair/16", "--alloc", "own=/nowhere/lib.so"})).run();
    EXPECT_EQ(exit_code(missing), 125);
    EXPECT_TRUE(says(missing.errors, "allocator own: no such file: /nowhere/lib.so"));
    const ended nameless = bench_command(quickly({"pair/16", "--alloc", LOWTIDE_FAKE_PLAIN})).run();
    EXPECT_EQ(exit_code(nameless), 125);
    EXPECT_TRUE(says(nameless.errors, "expected NAME=PATH.so"));
}

TEST(bench, a_variable_reaches_the_processes_of_its_allocator_alone) {
    // The counting allocator ends badly where its variable is missing.
    const auto measured_with = [&](const std::string& variable) {
        return exit_code(
            bench_command(quickly({"pair/16", "--alloc", "own=" LOWTIDE_FAKE_COUNTING, "--env", variable}))
                .run());
    };
    EXPECT_EQ(measured_with("own:FAKE_COUNT_FILE=/dev/null"), 0);
    EXPECT_EQ(measured_with("glibc:FAKE_COUNT_FILE=/dev/null"), 125);
}

TEST(bench, a_variable_for_nobody_or_without_a_value_is_an_error) {
    const ended nobody = bench_command(quickly({"pair/16", "--env", "nobody:A=1"})).run();
    EXPECT_EQ(exit_code(nobody), 125);
    EXPECT_TRUE(says(nobody.errors, "--env nobody:A=1: no such allocator"));
    for (const char* const wrong : {"glibc", "glibc:A", "glibc:=1", "A=1"}) {
        const ended end = bench_command(quickly({"pair/16", "--env", wrong})).run();
        EXPECT_EQ(exit_code(end), 125);
        EXPECT_TRUE(says(end.errors, "expected NAME:VARIABLE=VALUE"));
    }
}

TEST(bench, two_allocators_cannot_have_one_name) {
    const ended end = bench_command(quickly({"pair/16", "--alloc", "glibc=" LOWTIDE_FAKE_PLAIN})).run();
    EXPECT_EQ(exit_code(end), 125);
    EXPECT_TRUE(says(end.errors, "there is an allocator of this name already"));
}

TEST(bench, a_pattern_that_matches_nothing_is_an_error_with_the_nearest_names) {
    const ended end = bench_command(quickly({"pair/61"})).run();
    EXPECT_EQ(exit_code(end), 125);
    EXPECT_TRUE(says(end.errors, "no workload matches 'pair/61' (did you mean pair/64 or pair/16"));
}

TEST(bench, numbers_of_threads_may_stand_in_front_of_a_pattern) {
    const ended end = bench_command({"--list", "--threads", "2,3", "larson/2", "larson/3"}).run();
    EXPECT_EQ(exit_code(end), 0) << end.errors;
    EXPECT_TRUE(says(end.output, "larson/3"));
}

TEST(bench, a_report_that_cannot_be_written_is_an_error_before_anything_runs) {
    const ended end = bench_command(quickly({"--json", "/nowhere/results.json"})).run();
    EXPECT_EQ(exit_code(end), 125);
    EXPECT_TRUE(says(end.errors, "cannot write /nowhere/results.json"));
}

TEST(bench, a_request_that_fails_leaves_no_empty_report) {
    const bench_command command(quickly({"no-such-workload", "--html", "page.html"}));
    EXPECT_EQ(exit_code(command.run()), 125);
    EXPECT_FALSE(std::filesystem::exists(command.file("page.html")));
}

TEST(bench, a_workload_that_crashes_is_a_failure_and_the_others_go_on) {
    const ended end =
        bench_command(quickly({"pair/16", "pair/64", "--alloc", "own=" LOWTIDE_FAKE_CRASHING, "--json", "-"}))
            .run();
    EXPECT_EQ(exit_code(end), 1);
    EXPECT_TRUE(says(end.errors, "pair/16 on own failed: killed by signal 6 (Aborted)"));
    const json report = json::parse(end.output);
    ASSERT_EQ(report["workloads"].size(), 2u);
    for (const json& workload : report["workloads"]) {
        EXPECT_EQ(workload["results"]["own"]["status"], "failed");
        EXPECT_EQ(workload["results"]["own"]["reason"], "killed by signal 6 (Aborted)");
        EXPECT_EQ(workload["results"]["glibc"]["status"], "ok");
    }
    EXPECT_EQ(report["summary"]["failures"], 2);
    EXPECT_EQ(report["summary"]["workloads"], 0);
}

TEST(bench, an_allocator_that_hands_memory_out_twice_is_found_out) {
    const ended end =
        bench_command(quickly({"bulk/lifo/64", "--alloc", "own=" LOWTIDE_FAKE_OVERLAPPING})).run();
    EXPECT_EQ(exit_code(end), 1);
    EXPECT_TRUE(says(end.errors, "bulk/lifo/64 on own failed: did other work than the first run"));
}

TEST(bench, a_program_that_is_not_installed_is_skipped_with_a_word) {
    bench_command command(quickly({"sqlite", "--json", "-"}));
    command.set("PATH", "/nowhere");
    const ended end = command.run();
    EXPECT_EQ(exit_code(end), 0);
    EXPECT_TRUE(says(end.errors, "sqlite/memory skipped: sqlite3 is not installed (Debian package sqlite3)"));
    EXPECT_TRUE(says(json::parse(end.output)["workloads"][0]["skipped"], "not installed"));
}

/// A sqlite3 of ours, first in PATH.
void put_in_place_of_sqlite(bench_command& command, const std::string& script) {
    write_file(command.file("sqlite3"), "#!/bin/sh\n" + script);
    std::filesystem::permissions(command.file("sqlite3"), std::filesystem::perms{0755});
    command.set("PATH", command.file("").string() + ":/usr/bin:/bin");
}

TEST(bench, a_program_runs_on_the_allocator_and_its_processes_are_accounted_for) {
    // A shell that becomes a program of that name which reads its script: cat has a malloc to witness.
    bench_command command(quickly({"sqlite", "--alloc", "own=" LOWTIDE_FAKE_PLAIN, "--json", "-"}));
    std::filesystem::create_directory(command.file("inner"));
    std::filesystem::create_symlink("/bin/cat", command.file("inner/sqlite3"));
    put_in_place_of_sqlite(command, "exec " + command.file("inner/sqlite3").string() + "\n");
    const ended end = command.run();
    ASSERT_EQ(exit_code(end), 0) << end.errors;
    const json results = json::parse(end.output)["workloads"][0]["results"];
    for (const char* const allocator : {"glibc", "own"}) {
        EXPECT_EQ(results[allocator]["status"], "ok") << results;
        EXPECT_GT(results[allocator]["peak_rss"]["median"], 100);
    }
}

TEST(bench, a_program_that_does_not_take_the_allocator_is_a_failure) {
    bench_command command(quickly({"sqlite", "--alloc", "own=" LOWTIDE_FAKE_PLAIN}));
    put_in_place_of_sqlite(command, "unset LD_PRELOAD\nexec cat\n");
    const ended end = command.run();
    EXPECT_EQ(exit_code(end), 1);
    EXPECT_TRUE(says(end.errors, "sqlite/memory on own failed: no process of sqlite3 told of its end"));
}

TEST(bench, an_interrupt_leaves_no_process_and_no_file_behind) {
    bench_command command(quickly({"sqlite"}));
    put_in_place_of_sqlite(command, "echo $$ >" + command.file("pid").string() + "\nexec sleep 1000\n");
    const supervisor processes;
    child running = processes.start(command.ready());
    const pid_t program = std::stoi(test::await_file(command.file("pid")));
    kill(running.pid(), SIGINT);
    EXPECT_EQ(exit_code(processes.wait(running, seconds(60))), 130);
    EXPECT_TRUE(test::ends(program));
    EXPECT_TRUE(command.leftovers().empty());
}

#ifdef LOWTIDE_LIBRARY
TEST(bench, lowtide_is_found_beside_the_command_and_is_really_loaded) {
    const ended end = bench_command({"pair/16", "--quick", "--repeat", "1", "--json", "-"}).run();
    ASSERT_EQ(exit_code(end), 0) << end.errors;
    const json report = json::parse(end.output);
    EXPECT_EQ(report["allocators"][0]["name"], "lowtide");
    EXPECT_TRUE(
        std::filesystem::equivalent(report["allocators"][0]["file"].get<std::string>(), LOWTIDE_LIBRARY));
    EXPECT_EQ(report["workloads"][0]["results"]["lowtide"]["status"], "ok");
}
#endif

} // namespace
} // namespace lowtide::bench
