// `lowtide bench --flame`: the page, what perf sees of real runs, and where there is no perf.
#include "report/report.h"
#include "support.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace lowtide::bench {
namespace {

using nlohmann::json;
using test::bench_command;
using test::exit_code;
using test::quickly;
using test::says;

/// What the page carries.
json profiles_in(const std::string& page) {
    const std::string mark = R"(id="profiles">)";
    const std::size_t begin = page.find(mark) + mark.size();
    return json::parse(page.substr(begin, page.find("</script>", begin) - begin));
}

results profiled(call calls) {
    results measured{.date = "", .command = "", .where = {}, .allocators = {{.name = "own"}}};
    measurement run{};
    measured.rows = {{.about = {"one", "g", "about it"}}};
    measured.rows[0].cells = {{.runs = {run}, .calls = std::move(calls)}};
    return measured;
}

TEST(flame_report, is_one_file_that_refers_to_no_other) {
    const std::string page = flame_report(profiled({.name = "all"}));
    for (const char* const outside : {"{{", "src=", "<link rel=\"stylesheet\"", "@import", "url("})
        EXPECT_EQ(page.find(outside), std::string::npos) << outside;
    // The names of XML's namespaces look like addresses.
    for (std::size_t at = 0; (at = page.find("http", at)) != std::string::npos; ++at)
        EXPECT_TRUE(page.substr(at).starts_with("http://www.w3.org/")) << page.substr(at, 40);
}

TEST(flame_report, has_each_function_once_and_each_frame_with_its_samples) {
    call root{.name = "all", .samples = 3};
    root.callees = {{.name = "f", .samples = 2}, {.name = "f", .from = origin::kernel, .samples = 1}};
    root.callees[0].callees = {{.name = "f", .samples = 1}};
    const json report = profiles_in(flame_report(profiled(root)));
    EXPECT_EQ(report["functions"], json::parse(R"([["all", 0], ["f", 0], ["f", 2]])"));
    EXPECT_EQ(report["workloads"][0]["graphs"]["own"]["calls"],
              json::parse("[0, 3, [1, 2, [1, 1]], [2, 1]]"));
}

TEST(flame_report, survives_any_name_of_a_function) {
    const std::string page = flame_report(profiled({.name = "</script>\"\xff{{flame.js}}", .samples = 1}));
    EXPECT_TRUE(says(page, R"(\u003c/script>\")"));
    EXPECT_EQ(profiles_in(page)["functions"][0][0], "</script>\"\uFFFD{{flame.js}}");
}

TEST(flame_report, says_why_there_is_no_graph) {
    results measured = profiled({.name = "all"});
    measured.rows[0].cells[0].failure = "broken";
    measured.rows.push_back({.about = {"gone", "g", ""}, .unavailable = "not installed"});
    measured.rows.push_back({.about = {"server", "g", ""}});
    measured.rows[2].cells = {{.runs = {measurement{}}}};
    const json report = profiles_in(flame_report(measured));
    EXPECT_EQ(report["workloads"][0]["graphs"]["own"]["trouble"], "broken");
    EXPECT_EQ(report["workloads"][1]["trouble"], "skipped: not installed");
    EXPECT_EQ(report["workloads"][2]["trouble"], "is a server, and those are not profiled");
}

/// Is there a function of that name, or one of that origin, in this graph?
bool has(const json& report, const json& calls, const auto& wanted) {
    if (wanted(report["functions"][calls[0].get<std::size_t>()]))
        return true;
    return std::any_of(calls.begin() + 2, calls.end(),
                       [&](const json& each) { return has(report, each, wanted); });
}

TEST(flame, shows_the_workload_its_allocator_and_the_kernel) {
    if (find_program("perf").empty())
        GTEST_SKIP() << "perf is not installed";
    bench_command command(
        quickly({"burst/shifting", "--alloc", "own=" LOWTIDE_FAKE_PLAIN, "--flame", "page.html"}));
    const ended end = command.run();
    if (end.errors.find("perf cannot record here") != std::string::npos)
        GTEST_SKIP() << end.errors;
    ASSERT_EQ(exit_code(end), 0) << end.errors;
    EXPECT_TRUE(command.leftovers().empty());
    const json report = profiles_in(read_file(command.file("page.html")));
    const auto named = [](const char* name) {
        return [name](const json& function) {
            return function[0].get<std::string>().find(name) != std::string::npos;
        };
    };
    const auto of = [](origin from) {
        return [from](const json& function) { return function[1] == static_cast<int>(from); };
    };
    for (const char* const allocator : {"glibc", "own"}) {
        const json& calls = report["workloads"][0]["graphs"][allocator]["calls"];
        EXPECT_GT(calls[1], 10);
        EXPECT_TRUE(has(report, calls, named("lowtide::bench")));
        EXPECT_TRUE(has(report, calls, of(origin::allocator)));
        EXPECT_TRUE(geteuid() != 0 || has(report, calls, named("[kernel]")));
    }
}

TEST(flame, needs_perf) {
    bench_command command(quickly({"pair/16", "--flame", "page.html"}));
    command.set("PATH", "/nowhere");
    const ended end = command.run();
    EXPECT_EQ(exit_code(end), 125);
    EXPECT_TRUE(says(end.errors, "--flame needs perf, which is not installed (Debian: linux-perf)"));
}

/// A perf of ours, alone in PATH.
void put_in_place_of_perf(bench_command& command, const std::string& script) {
    write_file(command.file("perf"), "#!/bin/sh\n" + script);
    std::filesystem::permissions(command.file("perf"), std::filesystem::perms{0755});
    command.set("PATH", command.file("").string());
}

TEST(flame, needs_a_perf_that_may_record) {
    bench_command command(quickly({"pair/16", "--flame", "page.html"}));
    put_in_place_of_perf(command, "printf 'Error:\\nAccess is limited.\\nConsider this\\n' >&2\nexit 255\n");
    const ended end = command.run();
    EXPECT_EQ(exit_code(end), 125);
    EXPECT_TRUE(says(end.errors, "perf cannot record here (kernel.perf_event_paranoid is "));
    EXPECT_TRUE(says(end.errors, "Access is limited.\n"));
    EXPECT_EQ(end.output, "");
}

TEST(flame, a_perf_that_cannot_read_its_own_record_is_a_failed_run_and_the_page_says_so) {
    bench_command command(quickly({"pair/16", "--flame", "page.html"}));
    // Does what stands behind "--", as recording does; reading fails.
    put_in_place_of_perf(command, "[ $1 = record ] || { echo 'no such thing' >&2; exit 3; }\n"
                                  "while [ $1 != -- ]; do shift; done\nshift\n"
                                  "[ $1 != $0 ] || exit 0\nexec \"$@\"\n");
    const ended end = command.run();
    EXPECT_EQ(exit_code(end), 1);
    EXPECT_TRUE(
        says(end.errors, "pair/16 on glibc, its profile failed: perf script: exit code 3: no such thing"));
    const json report = profiles_in(read_file(command.file("page.html")));
    EXPECT_EQ(report["workloads"][0]["graphs"]["glibc"]["trouble"],
              "perf script: exit code 3: no such thing");
    EXPECT_TRUE(command.leftovers().empty());
}

TEST(flame, needs_to_be_told_what_to_profile) {
    const ended end = bench_command(quickly({"--flame", "page.html"})).run();
    EXPECT_EQ(exit_code(end), 125);
    EXPECT_TRUE(says(end.errors, "--flame needs to be told which workloads to profile"));
}

TEST(flame, needs_a_file_that_can_be_written) {
    const ended end = bench_command(quickly({"pair/16", "--flame", "/nowhere/page.html"})).run();
    EXPECT_EQ(exit_code(end), 125);
    EXPECT_TRUE(says(end.errors, "cannot write /nowhere/page.html"));
}

} // namespace
} // namespace lowtide::bench
