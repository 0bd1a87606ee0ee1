// `lowtide run`, with a harmless library in Lowtide's place: what the program is given, and every exit code.
#include "run.h"

#include "child.h"

#include <gtest/gtest.h>
#include <sstream>
#include <sys/stat.h>

namespace lowtide::tools {
namespace {

namespace fs = std::filesystem;
using test::child;
using test::child_result;
using test::temporary_folder;

const std::string show = LOWTIDE_FIXTURES "/show";
const std::string standin = LOWTIDE_FIXTURES "/libstandin.so";

child run_of(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {LOWTIDE_COMMAND, "run"});
    return {arguments, {{"LOWTIDE_LIB", standin}}, {}, "/", 0};
}

child_result run_with(std::vector<std::string> arguments) {
    return run_of(std::move(arguments)).run();
}

std::string shown(const child_result& result, const std::string& name) {
    std::istringstream lines(result.output);
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with(name + "="))
            return line.substr(name.size() + 1);
    return "(none)";
}

TEST(run, the_program_takes_this_process_over) {
    child command = run_of({"--", show, "--", "run", "--help", "", "-x"});
    command.input = "a line\n";
    command.folder = "/usr";
    const child_result result = command.run();
    EXPECT_EQ(result.exit_code(), 0);
    EXPECT_EQ(result.errors, "");
    EXPECT_EQ(shown(result, "pid"), std::to_string(result.pid));
    EXPECT_EQ(shown(result, "folder"), "/usr");
    EXPECT_EQ(shown(result, "input"), "a line");
    EXPECT_EQ(shown(result, "open"), "(none)") << "a file was left open";
    const std::vector<std::string> arguments = {show, "--", "run", "--help", "", "-x"};
    for (std::size_t i = 0; i < arguments.size(); ++i)
        EXPECT_EQ(shown(result, "argument " + std::to_string(i)), arguments[i]);
    EXPECT_EQ(shown(result, "argument 6"), "(none)");
}

TEST(run, the_dashes_before_the_program_may_be_left_out) {
    const child_result result = run_with({"--conf", "cache:1K", show, "--report"});
    EXPECT_EQ(shown(result, "argument 1"), "--report");
    EXPECT_EQ(shown(result, "LOWTIDE_REPORT"), "(none)");
}

TEST(run, preloads_the_library_after_what_is_preloaded_already) {
    EXPECT_EQ(shown(run_with({show}), "LD_PRELOAD"), standin);
    child command = run_of({show});
    command.environment.emplace_back("LD_PRELOAD", "libm.so.6");
    EXPECT_EQ(shown(command.run(), "LD_PRELOAD"), "libm.so.6:" + standin);
}

TEST(run, has_the_library_verify_and_report_in_this_process_only) {
    const child_result plain = run_with({show});
    EXPECT_EQ(shown(plain, "LOWTIDE_VERIFY"), std::to_string(plain.pid));
    EXPECT_EQ(shown(plain, "LOWTIDE_REPORT"), "(none)");
    const child_result reported = run_with({"--report", show});
    EXPECT_EQ(shown(reported, "LOWTIDE_REPORT"), std::to_string(reported.pid) + ":-");
}

TEST(run, a_report_goes_to_the_file_wherever_the_program_goes) {
    const temporary_folder folder;
    child command = run_of({"--report=memory report.txt", show});
    command.folder = folder.path();
    const child_result result = command.run();
    EXPECT_EQ(shown(result, "LOWTIDE_REPORT"),
              std::to_string(result.pid) + ":" + (folder.path() / "memory report.txt").string());
    EXPECT_FALSE(fs::exists(folder.path() / "memory report.txt")) << "only the program's end writes it";
}

TEST(run, an_older_report_is_kept_until_the_new_one) {
    const temporary_folder folder;
    const fs::path file = folder.write("report", "older");
    run_with({"--report=" + file.string(), show});
    EXPECT_EQ(fs::file_size(file), 5u);
}

TEST(run, a_report_that_cannot_be_written_stops_the_start) {
    const temporary_folder folder;
    for (const std::string& file :
         {folder.path().string(), std::string("/no/such/folder/report"), std::string()}) {
        const child_result result = run_with({"--report=" + file, show});
        EXPECT_EQ(result.exit_code(), 125) << file;
        EXPECT_EQ(result.output, "");
        EXPECT_NE(result.errors.find("report"), std::string::npos);
    }
}

TEST(run, a_pipe_for_the_report_is_not_waited_for) {
    const temporary_folder folder;
    const std::string pipe = folder.path() / "pipe";
    ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    EXPECT_EQ(run_with({"--report=" + pipe, show}).exit_code(), 0);
}

TEST(run, passes_options_on_above_those_of_the_environment) {
    child command = run_of({"--conf", "cache:1K,check:true", show});
    command.environment.emplace_back("LOWTIDE_CONF", "window:5, cache : 2K");
    EXPECT_EQ(shown(command.run(), "LOWTIDE_CONF"), "window:5,cache:1K,check:true");
    EXPECT_EQ(merge_configurations("", "a:1"), "a:1");
    EXPECT_EQ(merge_configurations("a:1,b:2", "b:3"), "a:1,b:3");
}

TEST(run, refuses_options_that_are_wrong) {
    const child_result unknown = run_with({"--conf", "cahce:1", show});
    EXPECT_EQ(unknown.exit_code(), 125);
    EXPECT_EQ(unknown.errors, "lowtide: --conf: unknown option 'cahce' (did you mean 'cache'?)\n");
    const child_result bad = run_with({"--conf=window:soon", show});
    EXPECT_EQ(bad.errors,
              "lowtide: --conf: option 'window': 'soon' is not a time in ms (range 0 to 3600000)\n");
    EXPECT_EQ(bad.output, "");
}

TEST(run, ends_as_the_program_ends) {
    EXPECT_EQ(run_with({show, "--exit", "0"}).exit_code(), 0);
    EXPECT_EQ(run_with({show, "--exit", "7"}).exit_code(), 7);
    EXPECT_EQ(run_with({show, "--abort"}).exit_code(), 128 + 6);
}

TEST(run, ends_as_env_where_the_program_cannot_be_started) {
    const temporary_folder folder;
    EXPECT_EQ(run_with({"no-such-program-anywhere"}).exit_code(), 127);
    EXPECT_EQ(run_with({"/no/such/program"}).exit_code(), 127);
    EXPECT_EQ(run_with({folder.write("text", "no program")}).exit_code(), 126);
    EXPECT_EQ(run_with({folder.path()}).exit_code(), 126);
    EXPECT_EQ(run_with({show + "/below-a-file"}).exit_code(), 126);
}

TEST(run, says_that_it_is_the_interpreter_that_is_missing) {
    const temporary_folder folder;
    const fs::path script = folder.write("script", "#!/no/such/interpreter\n", fs::perms(0755));
    const child_result result = run_with({script});
    EXPECT_EQ(result.exit_code(), 127);
    EXPECT_NE(result.errors.find("the interpreter or loader that it asks for does not exist"),
              std::string::npos);
}

TEST(run, a_file_without_an_interpreter_line_is_a_shell_script) {
    const temporary_folder folder;
    const fs::path script = folder.write("script", "exit 9\n", fs::perms(0755));
    EXPECT_EQ(run_with({script}).exit_code(), 9);
}

TEST(run, refuses_a_program_that_would_not_run_on_lowtide) {
    const child_result result = run_with({LOWTIDE_FIXTURES "/static"});
    EXPECT_EQ(result.exit_code(), 125);
    EXPECT_NE(result.errors.find("is statically linked"), std::string::npos);
    EXPECT_NE(result.errors.find("--force"), std::string::npos);
}

TEST(run, starts_it_by_force_and_then_verifies_nothing) {
    EXPECT_EQ(run_with({"--force", LOWTIDE_FIXTURES "/static"}).exit_code(), 0);
    child command = run_of({"--force", show});
    command.environment.emplace_back("LD_PRELOAD", LOWTIDE_FIXTURES "/libown_malloc.so");
    const child_result result = command.run();
    EXPECT_EQ(result.exit_code(), 0);
    EXPECT_EQ(shown(result, "LOWTIDE_VERIFY"), "(none)");
}

TEST(run, says_where_it_looked_for_the_library) {
    child command = run_of({show});
    command.environment = {{"LOWTIDE_LIB", "/no/such/library.so"}};
    const child_result absent = command.run();
    EXPECT_EQ(absent.exit_code(), 125);
    EXPECT_EQ(absent.errors, "lowtide: LOWTIDE_LIB is /no/such/library.so, and there is no such file\n");
    command.environment = {{"LOWTIDE_LIB", "/etc/passwd"}};
    EXPECT_EQ(command.run().errors, "lowtide: /etc/passwd is no shared library\n");
}

TEST(run, says_that_a_path_with_a_space_cannot_be_preloaded) {
    const temporary_folder folder;
    const fs::path library = folder.path() / "a space.so";
    fs::copy_file(standin, library);
    child command = run_of({show});
    command.environment = {{"LOWTIDE_LIB", library}};
    const child_result result = command.run();
    EXPECT_EQ(result.exit_code(), 125);
    EXPECT_NE(result.errors.find("because of the space or colon in it"), std::string::npos);
}

TEST(run, a_relative_library_is_found_from_any_folder) {
    child command = run_of({show});
    command.folder = LOWTIDE_FIXTURES;
    command.environment = {{"LOWTIDE_LIB", "libstandin.so"}};
    EXPECT_EQ(shown(command.run(), "LD_PRELOAD"), standin);
}

} // namespace
} // namespace lowtide::tools
