// `lowtide profile` and `lowtide diff`, on profiles of a real program, and of processes that answer for a
// library.
#include "child.h"

#include <algorithm>
#include <fcntl.h>
#include <fnmatch.h>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

namespace lowtide::tools {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::child;
using test::child_result;

child_result lowtide(std::vector<std::string> arguments, unsigned user = 0) {
    arguments.insert(arguments.begin(), LOWTIDE_COMMAND);
    return child{arguments, {}, {}, "/", user}.run();
}

std::string output_of(const std::vector<std::string>& arguments) {
    const child_result result = lowtide(arguments);
    EXPECT_EQ(result.exit_code(), 0);
    EXPECT_EQ(result.errors, "");
    return result.output;
}

void expect_error(const std::vector<std::string>& arguments, const std::string& error) {
    const child_result result = lowtide(arguments);
    EXPECT_EQ(result.exit_code(), 125) << error;
    EXPECT_EQ(result.output, "");
    EXPECT_NE(result.errors.find(error), std::string::npos) << result.errors;
}

/// Of the fixture, whose three stacks have 10 objects of `bytes`, 20 of 100, 30 of 10.
std::string raw_profile(const char* bytes = "1000") {
    const child_result result = child{{LOWTIDE_FIXTURES "/profiled", bytes}, {}, {}, "/", 0}.run();
    EXPECT_EQ(result.exit_code(), 0);
    return result.output;
}

std::string text_of(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// As a shell matches names: `*` is anything.
bool matches(const std::string& text, const std::string& pattern) {
    return fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}

class profile_command : public testing::Test {
protected:
    std::string write(const std::string& name, const std::string& text) const {
        return folder_.write(name, text);
    }
    std::string path(const std::string& name) const { return folder_.path() / name; }
    json read_pprof(const std::string& file) const {
        const child_result result =
            child{{"/usr/bin/python3", LOWTIDE_SOURCES "/read_pprof.py", file}, {}, {}, "/", 0}.run();
        EXPECT_EQ(result.exit_code(), 0) << result.errors;
        return json::parse(result.output);
    }

    const test::temporary_folder folder_;
    const std::string raw_ = write("a.raw", raw_profile());
};

// Of the inlined function, g++ knows the name alone, clang the parameters too: inlined*.
TEST_F(profile_command, names_functions_in_the_program_a_library_and_a_stripped_one) {
    const std::string text = output_of({"profile", raw_, "--format", "collapsed"});
    const std::string lines =
        "*;main;call_inlined();(anonymous namespace)::inlined* 10000\n"
        "*;main;call_in_library(void (\\*)());(anonymous namespace)::hidden(void (\\*)());"
        "(anonymous namespace)::tree<long>::insert(long, void (\\*)()) 2000\n"
        "*;main;call_in_stripped;libprofiled_stripped.so+0x[0-9a-f]* 300\n";
    EXPECT_TRUE(matches(text, lines)) << text;
}

TEST_F(profile_command, shows_tables_of_functions_and_stacks) {
    const std::string text = output_of({"profile", raw_});
    EXPECT_NE(text.find("in use: 12.0 KiB (estimated from samples, of which 6 are in use)\n"), text.npos)
        << text;
    EXPECT_TRUE(matches(text,
                        "*\n* 9.7 KiB * 81.3% * 10  (anonymous namespace)::inlined*  profiled.cpp:[0-9]*\n"
                        "* call_inlined()  profiled.cpp:[0-9]*\n* main  profiled.cpp:[0-9]*\n*"))
        << text;
    EXPECT_TRUE(matches(text, "*\n* 0 B * 0.0% * 12.0 KiB * 100.0%  main\n*")) << text;
    const std::string two = output_of({"profile", raw_, "--limit", "2"});
    EXPECT_NE(two.find("1 more stacks"), two.npos) << two;
}

TEST_F(profile_command, shows_each_value) {
    for (const auto& [value, sums] :
         std::vector<std::pair<std::string, std::pair<int, int>>>{{"in-use", {12300, 60}},
                                                                  {"allocated", {24600, 120}},
                                                                  {"peak", {12303, 63}},
                                                                  {"pinned", {1110, 0}}}) {
        for (const bool objects : {false, true}) {
            std::vector<std::string> arguments = {"profile", raw_, "--format", "collapsed", "--value", value};
            if (objects)
                arguments.push_back("--objects");
            if (objects && value == "pinned") {
                expect_error(arguments, "only the bytes are known");
                continue;
            }
            std::istringstream lines(output_of(arguments));
            int sum = 0;
            for (std::string line; std::getline(lines, line);)
                sum += std::stoi(line.substr(line.rfind(' ')));
            EXPECT_EQ(sum, objects ? sums.second : sums.first) << value;
        }
    }
}

TEST_F(profile_command, another_reader_understands_what_pprof_is_given) {
    output_of({"profile", raw_, "-o", path("a.pb.gz"), "--value", "peak"});
    const json read = read_pprof(path("a.pb.gz"));
    EXPECT_EQ(read["sample_types"], json::parse(R"([["inuse_objects", "count"], ["inuse_space", "bytes"],
        ["alloc_objects", "count"], ["alloc_space", "bytes"], ["peak_objects", "count"], ["peak_space", "bytes"],
        ["pinned_space", "bytes"]])"));
    EXPECT_EQ(read["default_sample_type"], "peak_space");
    EXPECT_EQ(read["period"], 524288);
    EXPECT_EQ(read["period_type"], json::parse(R"(["space", "bytes"])"));
    EXPECT_EQ(read["time_nanos"], 1796000060000000000);
    EXPECT_EQ(read["duration_nanos"], 60000000000);
    EXPECT_EQ(fs::path(read["mappings"][0]["file"].get<std::string>()).filename(), "profiled");
    EXPECT_EQ(read["mappings"][0]["has_inline_frames"], 1);
    EXPECT_EQ(read["mappings"][0]["build_id"].get<std::string>().size(), 40u);
    ASSERT_EQ(read["samples"].size(), 3u);
    EXPECT_EQ(read["samples"][0]["values"], json::parse("[10, 10000, 20, 20000, 11, 10001, 1000]"));
    const json& lines = read["samples"][0]["stack"][0]["lines"];
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[1]["name"], "call_inlined()");
    EXPECT_EQ(lines[1]["system_name"], "_Z12call_inlinedv");
    EXPECT_EQ(fs::path(lines[1]["file"].get<std::string>()).filename(), "profiled.cpp");
    EXPECT_GT(lines[1]["line"], lines[0]["line"]) << "a call below the function that was called";
    EXPECT_EQ(read["samples"][2]["stack"][0]["lines"], json::array()) << "there is no symbol";
}

TEST_F(profile_command, pprofs_files_are_read_as_raw_ones_are) {
    output_of({"profile", raw_, "-o", path("a.pb.gz")});
    for (const char* format : {"collapsed", "speedscope"})
        EXPECT_EQ(output_of({"profile", path("a.pb.gz"), "--format", format}),
                  output_of({"profile", raw_, "--format", format}));
    output_of({"profile", path("a.pb.gz"), "-o", path("b.raw")});
    EXPECT_EQ(output_of({"profile", path("b.raw"), "--format", "collapsed"}),
              output_of({"profile", raw_, "--format", "collapsed"}));
}

/// What the schema of speedscope's files requires.
void expect_speedscope(const json& file, std::size_t profiles) {
    EXPECT_EQ(file["$schema"], "https://www.speedscope.app/file-format-schema.json");
    for (const json& frame : file["shared"]["frames"])
        EXPECT_TRUE(frame["name"].is_string());
    ASSERT_EQ(file["profiles"].size(), profiles);
    for (const json& profile : file["profiles"]) {
        EXPECT_EQ(profile["type"], "sampled");
        EXPECT_TRUE(profile["name"].is_string());
        EXPECT_EQ(profile["unit"], "bytes");
        EXPECT_EQ(profile["startValue"], 0);
        ASSERT_EQ(profile["samples"].size(), profile["weights"].size());
        std::int64_t sum = 0;
        for (const json& weight : profile["weights"])
            sum += weight.get<std::int64_t>();
        EXPECT_EQ(profile["endValue"], sum);
        for (const json& sample : profile["samples"])
            for (const json& frame : sample)
                EXPECT_LT(frame, file["shared"]["frames"].size());
    }
}

TEST_F(profile_command, writes_what_speedscope_reads) {
    output_of({"profile", raw_, "-o", path("a.speedscope.json")});
    const json file = json::parse(text_of(path("a.speedscope.json")));
    expect_speedscope(file, 1);
    const json& profile = file["profiles"][0];
    EXPECT_EQ(profile["endValue"], 12300);
    const std::size_t innermost = profile["samples"][0].back();
    EXPECT_TRUE(matches(file["shared"]["frames"][innermost]["name"], "(anonymous namespace)::inlined*"));
}

TEST_F(profile_command, json_has_everything) {
    const json file = json::parse(output_of({"profile", raw_, "--format", "json"}));
    EXPECT_EQ(file["rate_bytes"], 524288);
    EXPECT_EQ(file["total"]["allocated_bytes"], 24600);
    EXPECT_EQ(file["stacks"][0]["frames"][1]["function"], "call_inlined()");
    EXPECT_EQ(file["stacks"][0]["samples"], 1);
    EXPECT_EQ(file["stacks"][2]["mean_lifetime_ns"], 3000);
}

TEST_F(profile_command, the_files_name_tells_the_format) {
    for (const auto& [name, start] :
         std::vector<std::pair<std::string, std::string>>{{"x.pb.gz", "\x1f\x8b"},
                                                          {"x.folded", "_start;"},
                                                          {"x.collapsed", "_start;"},
                                                          {"x.speedscope.json", "{\"$schema"},
                                                          {"x.json", "{\n"},
                                                          {"x.txt", "/"},
                                                          {"x.raw", "lowtide profile 1\n"}}) {
        EXPECT_EQ(output_of({"profile", raw_, "-o", path(name)}), "") << name;
        EXPECT_EQ(text_of(path(name)).substr(0, start.size()), start) << name;
    }
    expect_error({"profile", raw_, "-o", path("x.unknown")}, "the name doesn't tell the format");
    EXPECT_FALSE(fs::exists(path("x.unknown")));
    EXPECT_EQ(output_of({"profile", raw_, "-o", path("x.unknown"), "--format", "raw"}), "");
}

TEST_F(profile_command, diff_shows_what_grew_whatever_the_addresses) {
    const std::string later = write("b.raw", raw_profile("5000"));
    EXPECT_NE(text_of(raw_), text_of(later));
    const std::string text = output_of({"diff", raw_, later});
    EXPECT_NE(text.find("in use: +39.0 KiB (325.2%), from 12.0 KiB to 51.0 KiB\n"), text.npos) << text;
    EXPECT_EQ(text.find("call_in_library"), text.npos) << "it has not grown";
    const std::string shrunk = output_of({"diff", later, raw_, "--format", "collapsed"});
    EXPECT_TRUE(matches(shrunk, "*;main;*inlined* 50000 10000\n")) << shrunk;
    EXPECT_EQ(std::ranges::count(shrunk, '\n'), 1);
    expect_speedscope(json::parse(output_of({"diff", later, raw_, "--format", "speedscope"})), 2);
    const json both = json::parse(output_of({"diff", later, raw_, "--format", "json"}));
    EXPECT_EQ(both["total"]["growth"]["in_use_bytes"], -40000);
    output_of({"diff", later, raw_, "-o", path("d.pb.gz")});
    std::int64_t sum = 0;
    const json growth = read_pprof(path("d.pb.gz"));
    for (const json& sample : growth["samples"])
        sum += sample["values"][1].get<std::int64_t>();
    EXPECT_EQ(sum, -40000);
    EXPECT_NE(output_of({"profile", path("d.pb.gz")}).find("in use: -39.0 KiB"), std::string::npos);
}

TEST_F(profile_command, diff_takes_pprofs_files_as_well) {
    const std::string later = write("b.raw", raw_profile("5000"));
    output_of({"profile", raw_, "-o", path("a.pb.gz")});
    EXPECT_EQ(output_of({"diff", path("a.pb.gz"), later, "--format", "collapsed"}),
              output_of({"diff", raw_, later, "--format", "collapsed"}));
}

TEST_F(profile_command, a_file_of_another_build_id_is_not_used_and_that_is_said_once) {
    std::string text = text_of(raw_);
    const std::size_t library = text.find("libprofiled_library.so");
    const std::size_t id = text.rfind(' ', library) - 40;
    text.replace(id, 40, std::string(40, '1'));
    const child_result result = lowtide({"profile", write("other.raw", text), "--format", "collapsed"});
    EXPECT_EQ(result.exit_code(), 0);
    EXPECT_TRUE(matches(result.errors,
                        "lowtide: */libprofiled_library.so is another version now (its build id "
                        "differs): no names for it\n"))
        << result.errors;
    EXPECT_EQ(std::ranges::count(result.errors, '\n'), 1);
    EXPECT_NE(result.output.find(";main;libprofiled_library.so+0x"), std::string::npos) << result.output;
}

TEST_F(profile_command, a_file_that_is_not_there_leaves_addresses) {
    std::string text = text_of(raw_);
    for (std::size_t at; (at = text.find("/libprofiled_library.so")) != text.npos;)
        text.replace(at, 23, "/gone.so");
    const child_result result = lowtide({"profile", write("gone.raw", text), "--format", "collapsed"});
    EXPECT_EQ(result.exit_code(), 0);
    EXPECT_NE(result.errors.find("gone.so is no program or library, or not here"), std::string::npos);
    EXPECT_NE(result.output.find(";main;gone.so+0x"), std::string::npos) << result.output;
}

TEST_F(profile_command, debug_information_may_be_in_a_file_of_its_own) {
    for (const char* file : {"profiled", "libprofiled_library.so"})
        fs::copy(fs::path(LOWTIDE_FIXTURES) / file, path(file));
    std::string text = text_of(raw_);
    for (std::size_t at; (at = text.find(LOWTIDE_FIXTURES "/libprofiled_library.so")) != text.npos;)
        text.replace(at, std::string_view(LOWTIDE_FIXTURES).size(), folder_.path());
    const std::string library = path("libprofiled_library.so");
    const std::string script = "cd " + folder_.path().string() +
                               " && mkdir .debug && objcopy --only-keep-debug " + library +
                               " .debug/library.debug && strip " + library +
                               " && objcopy --add-gnu-debuglink=.debug/library.debug " + library;
    ASSERT_EQ((child{{"/bin/sh", "-c", script}, {}, {}, "/", 0}.run().exit_code()), 0);
    const std::string folded = output_of({"profile", write("moved.raw", text), "--format", "collapsed"});
    EXPECT_NE(folded.find("tree<long>::insert"), folded.npos) << folded;
}

TEST_F(profile_command, what_is_no_profile_is_said) {
    expect_error({"profile", path("none")}, "none: No such file or directory");
    expect_error({"profile", folder_.path()}, "Is a directory");
    expect_error({"profile", write("empty", "")}, "this is no profile");
    expect_error({"profile", LOWTIDE_FIXTURES "/profiled"}, "this is no profile");
    expect_error({"profile", write("cut", text_of(raw_).substr(0, 500))}, "cut off");
    expect_error({"profile", write("wrong", "lowtide profile 1\npid x\nend\n")},
                 "wrong:2: the process's id is 'x'");
    expect_error({"profile", write("nothing", "lowtide profile 1\nend\n")}, "it has no samples");
    expect_error({"profile", raw_, "--format", "xml"}, "'xml' is none of ");
    expect_error({"profile", raw_, "--value", "all"}, "'all' is none of ");
    expect_error({"profile", raw_, "-o", path("no/such/folder.txt")}, "No such file or directory");
    expect_error({"profile", raw_, "-o", "/dev/full", "--format", "raw"}, "No space left on device");
    expect_error({"diff", raw_, raw_, "--format", "raw"}, "a difference has no raw form");
    expect_error({"diff", raw_}, "AFTER");
    if (geteuid() == 0) {
        const child_result result =
            lowtide({"profile", folder_.write("private", "x", fs::perms(0600))}, 65534);
        EXPECT_NE(result.errors.find("Permission denied"), std::string::npos) << result.errors;
    }
}

TEST_F(profile_command, what_was_there_stays_where_there_is_nothing_to_write) {
    const std::string old = write("old.txt", "kept");
    expect_error({"profile", write("bad.raw", "lowtide profile 1\n"), "-o", old}, "cut off");
    EXPECT_EQ(text_of(old), "kept");
    expect_error({"profile", path("bad.raw"), "-o", path("new.txt")}, "cut off");
    EXPECT_FALSE(fs::exists(path("new.txt")));
}

/// A process that answers as the library does, or ends.
class answering_process {
public:
    explicit answering_process(const std::string& answer) {
        pid_ = fork();
        if (pid_ == 0) {
            answer_one(answer);
            _exit(0);
        }
    }
    ~answering_process() {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    answering_process(const answering_process&) = delete;
    answering_process& operator=(const answering_process&) = delete;

    std::string id() const { return std::to_string(pid_); }

private:
    /// In two pieces: the first has an end that isn't one.
    static void answer_one(const std::string& answer) {
        const std::string mailbox = "/dev/shm/lowtide." + std::to_string(getpid());
        int fd = -1;
        while ((fd = open(mailbox.c_str(), O_RDWR | O_APPEND)) < 0)
            usleep(10'000);
        char request[1024] = "";
        const ssize_t size = read(fd, request, sizeof(request) - 1);
        unlink(mailbox.c_str());
        if (answer.empty() || size <= 0 || std::string(request).find("\nprofile\n") == std::string::npos)
            return;
        const std::string whole = "answer\n" + answer;
        const std::size_t half = whole.size() / 2;
        if (write(fd, whole.data(), half) < 0)
            return;
        usleep(100'000);
        if (write(fd, whole.data() + half, whole.size() - half) > 0)
            pause();
    }

    pid_t pid_;
};

TEST_F(profile_command, asks_a_process) {
    const answering_process process(text_of(raw_));
    EXPECT_EQ(output_of({"profile", process.id(), "--format", "collapsed", "--wait", "20"}),
              output_of({"profile", raw_, "--format", "collapsed"}));
}

TEST_F(profile_command, an_answer_of_any_size_is_read) {
    std::string large = "lowtide profile 1\n";
    for (int i = 1; i <= 20'000; ++i) {
        const std::string id = std::to_string(i);
        large.append("stack ").append(id).append(" 1").append(id).append(" 7f0000000001\n");
        large.append("site ").append(id).append(" 1 1 1 1 1 1 0 1 0\n");
    }
    const answering_process process(large + "end\n");
    const json file = json::parse(output_of({"profile", process.id(), "--format", "json", "--wait", "20"}));
    EXPECT_EQ(file["total"]["in_use_objects"], 20'000);
}

TEST_F(profile_command, what_a_process_refuses_is_said_with_what_to_do) {
    const answering_process off("refused profile: sampling is off\nreturned 0\nheld 5\nend\n");
    expect_error({"profile", off.id(), "--wait", "20"},
                 "process " + off.id() + ": sampling is off; `lowtide set " + off.id() + " sample:512K`");
    const answering_process old("refused this version doesn't know the request\nreturned 0\nheld 5\nend\n");
    expect_error({"profile", old.id(), "--wait", "20"}, "is on a version of Lowtide that has no profiles");
    const answering_process malformed("lowtide profile 1\npid x\nend\n");
    expect_error({"profile", malformed.id(), "--wait", "20"}, "process " + malformed.id() + ":2: ");
    const answering_process none("lowtide profile 1\nend\n");
    expect_error({"profile", none.id(), "--wait", "20"}, "it has no samples");
}

TEST_F(profile_command, a_process_that_ends_or_does_not_listen_or_is_anothers_is_said) {
    const answering_process ending("");
    expect_error({"profile", ending.id(), "--wait", "5"}, "has ended");
    expect_error({"profile", std::to_string(getpid()), "--wait", "0.1"}, "does not answer");
    expect_error({"profile", "2147483647"}, "there is no process 2147483647");
    expect_error({"profile", "99999999999"}, "there is no process 99999999999");
    expect_error({"profile", "1", "--wait", "nan"}, "is not a number");
    if (geteuid() == 0) {
        const answering_process roots(text_of(raw_));
        EXPECT_NE(lowtide({"profile", roots.id()}, 65534).errors.find("is another user's"),
                  std::string::npos);
    }
}

TEST_F(profile_command, explains_itself) {
    for (const char* command : {"profile", "diff"})
        EXPECT_NE(output_of({command, "--help"}).find("--value VALUE"), std::string::npos);
}

} // namespace
} // namespace lowtide::tools
