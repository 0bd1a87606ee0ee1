// `lowtide run` with the library itself: malloc is Lowtide's, this is verified, and reported on once.
#include "child.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>

namespace lowtide::tools {
namespace {

namespace fs = std::filesystem;
using test::child;
using test::child_result;
using test::temporary_folder;

const std::string fixtures = LOWTIDE_FIXTURES;

child run_of(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {LOWTIDE_COMMAND, "run"});
    return {arguments, {}, {}, "/", 0};
}

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1))
        ++found;
    return found;
}

TEST(on_lowtide, malloc_is_lowtides) {
    EXPECT_EQ(run_of({fixtures + "/owned"}).run().exit_code(), 0);
    const child on_glibc{{fixtures + "/owned"}, {}, {}, "/", 0};
    EXPECT_EQ(on_glibc.run().exit_code(), 1) << "the program cannot tell";
}

TEST(on_lowtide, another_malloc_in_front_ends_the_program_with_125) {
    const std::string command = "LOWTIDE_VERIFY=$$ LD_PRELOAD=" LOWTIDE_FIXTURES
                                "/libown_malloc.so:" LOWTIDE_LIBRARY " exec " LOWTIDE_FIXTURES "/show";
    const child_result result = child{{"/bin/sh", "-c", command}, {}, {}, "/", 0}.run();
    EXPECT_EQ(result.exit_code(), 125);
    EXPECT_EQ(result.output, "");
    EXPECT_EQ(result.errors.find("lowtide: "), 0u) << result.errors;
}

TEST(on_lowtide, other_processes_are_not_verified) {
    const std::string command =
        "LD_PRELOAD=" LOWTIDE_FIXTURES "/libown_malloc.so:$LD_PRELOAD " LOWTIDE_FIXTURES "/show; exit $?";
    EXPECT_EQ(run_of({"/bin/sh", "-c", command}).run().exit_code(), 0);
}

TEST(on_lowtide, a_report_accounts_for_the_memory) {
    const child_result result = run_of({"--report", fixtures + "/show", "--exit", "3"}).run();
    EXPECT_EQ(result.exit_code(), 3);
    EXPECT_NE(result.errors.find("report for process " + std::to_string(result.pid)), std::string::npos);
    for (const char* part : {"peak RSS", "page faults", "live", "returned", "size"})
        EXPECT_NE(result.errors.find(part), std::string::npos) << part << " in:\n" << result.errors;
    EXPECT_EQ(result.output.find("report for"), std::string::npos) << "stdout is the program's";
}

TEST(on_lowtide, a_report_is_written_to_a_file_from_wherever_the_program_is) {
    const temporary_folder folder;
    child command = run_of({"--report=report.txt", fixtures + "/show", "--move"});
    command.folder = folder.path();
    const child_result result = command.run();
    EXPECT_EQ(result.exit_code(), 0);
    EXPECT_EQ(result.errors, "");
    std::ifstream in(folder.path() / "report.txt");
    const std::string report{std::istreambuf_iterator<char>(in), {}};
    EXPECT_NE(report.find("peak RSS"), std::string::npos) << report;
}

TEST(on_lowtide, a_report_that_could_not_be_written_whole_is_no_secret) {
    const child_result result = run_of({"--report=/dev/full", fixtures + "/show", "--exit", "3"}).run();
    EXPECT_EQ(result.exit_code(), 3) << "the program's own";
    EXPECT_EQ(result.errors, "lowtide: the report is not complete: writing failed\n");
}

TEST(on_lowtide, leaks_are_shown_with_the_names_of_functions) {
    const child_result clean = run_of({"--leaks", fixtures + "/show", "--exit", "3"}).run();
    EXPECT_EQ(clean.exit_code(), 3);
    EXPECT_EQ(clean.errors, "");
    const child_result leaking = run_of({"--leaks", fixtures + "/loses"}).run();
    EXPECT_EQ(leaking.exit_code(), 0);
    EXPECT_EQ(leaking.output, "done\n") << "nothing else goes there";
    EXPECT_NE(leaking.errors.find(" has leaked 9.6 KiB in 11 objects:\n"), std::string::npos)
        << leaking.errors;
    EXPECT_NE(leaking.errors.find("in 10 objects whose address nobody has, and "), std::string::npos);
    EXPECT_NE(leaking.errors.find("lose_one  loses.c:"), std::string::npos) << leaking.errors;
    const test::temporary_folder folder;
    const std::string file = folder.path() / "leaks.raw";
    const child_result written =
        run_of({"--leaks=" + file, "--conf", "leak_exit:9", fixtures + "/loses"}).run();
    EXPECT_EQ(written.exit_code(), 9);
    EXPECT_EQ(written.errors, "");
    std::ifstream in(file);
    const std::string report{std::istreambuf_iterator<char>(in), {}};
    EXPECT_NE(report.find("\nleaked 10 "), std::string::npos) << report;
    const child_result unwritable = run_of({"--leaks=/nowhere/file", fixtures + "/loses"}).run();
    EXPECT_EQ(unwritable.exit_code(), 125);
    EXPECT_EQ(unwritable.output, "");
}

TEST(on_lowtide, a_profile_is_written_to_a_file_at_the_end) {
    const temporary_folder folder;
    const std::string file = (folder.path() / "heap.txt").string();
    const child_result result = run_of({"--profile", file, fixtures + "/show", "--exit", "3"}).run();
    EXPECT_EQ(result.exit_code(), 3);
    EXPECT_EQ(result.errors, "");
    std::ifstream in(file);
    const std::string profile{std::istreambuf_iterator<char>(in), {}};
    EXPECT_EQ(profile.rfind("lowtide profile 1\n", 0), 0u) << profile;
    EXPECT_NE(profile.find("\nrate 524288\n"), std::string::npos) << profile;
    EXPECT_NE(profile.find("\npid " + std::to_string(result.pid) + "\n"), std::string::npos) << profile;
    EXPECT_EQ(profile.substr(profile.size() - 5), "\nend\n");
    const child_result finer =
        run_of({"--conf", "sample:4K", "--profile=" + file, fixtures + "/show", "--fork"}).run();
    EXPECT_EQ(finer.exit_code(), 0);
    std::ifstream again(file);
    const std::string second{std::istreambuf_iterator<char>(again), {}};
    EXPECT_NE(second.find("\nrate 4096\n"), std::string::npos) << second;
    EXPECT_NE(second.find("\npid " + std::to_string(finer.pid) + "\n"), std::string::npos)
        << "not the child's";
    const child_result full = run_of({"--profile=/dev/full", fixtures + "/show"}).run();
    EXPECT_EQ(full.errors, "lowtide: the profile is not complete: writing failed\n");
}

TEST(on_lowtide, children_write_no_report) {
    const child_result result = run_of({"--report", fixtures + "/show", "--fork"}).run();
    EXPECT_EQ(result.exit_code(), 0);
    EXPECT_EQ(count(result.errors, "report for process"), 1u) << result.errors;
}

TEST(on_lowtide, a_program_that_execs_another_is_reported_on_at_its_end) {
    const child_result result = run_of({"--report", "/bin/sh", "-c", "exec " + fixtures + "/show"}).run();
    EXPECT_EQ(count(result.errors, "report for process " + std::to_string(result.pid)), 1u) << result.errors;
}

TEST(on_lowtide, options_reach_the_library) {
    const child_result result = run_of({"--conf", "check:true", "--report", fixtures + "/owned"}).run();
    EXPECT_EQ(result.exit_code(), 0);
    child mistaken = run_of({fixtures + "/owned"});
    mistaken.environment.emplace_back("LOWTIDE_CONF", "wnidow:1");
    EXPECT_EQ(mistaken.run().errors, "lowtide: unknown option 'wnidow' (did you mean 'window'?)\n");
}

} // namespace
} // namespace lowtide::tools
