// See support.h.
#include "support.h"

#include <chrono>
#include <fstream>
#include <sys/wait.h>
#include <thread>

namespace lowtide::bench::test {

namespace fs = std::filesystem;

namespace {

void wait_a_little() {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

/// Z or X in its state, or no such process.
bool ended_already(pid_t pid) {
    std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    if (!std::getline(in, line))
        return true;
    const std::size_t state = line.rfind(')') + 2;
    return line[state] == 'Z' || line[state] == 'X';
}

} // namespace

bool ends(pid_t pid) {
    while (!ended_already(pid))
        wait_a_little();
    return true;
}

std::string await_file(const fs::path& file) {
    std::error_code none;
    while (!fs::exists(file, none) || fs::file_size(file, none) == 0)
        wait_a_little();
    return read_file(file);
}

bench_command::bench_command(std::vector<std::string> arguments) {
    const fs::path temporary = files_.path() / "tmp";
    fs::create_directory(temporary);
    what_.words = {LOWTIDE_BENCH_ALONE, "bench"};
    what_.words.insert(what_.words.end(), arguments.begin(), arguments.end());
    what_.directory = files_.path();
    what_.variables["TMPDIR"] = temporary;
}

ended bench_command::run() const {
    return supervisor().run(what_, seconds(240));
}

std::vector<std::string> bench_command::leftovers() const {
    std::vector<std::string> names;
    for (const fs::directory_entry& entry : fs::directory_iterator(files_.path() / "tmp"))
        names.push_back(entry.path().filename());
    return names;
}

std::vector<std::string> quickly(std::vector<std::string> more) {
    std::vector<std::string> arguments{"--quick", "--repeat", "2", "--without", "lowtide"};
    for (const char* const peer : {"jemalloc", "tcmalloc", "mimalloc"})
        arguments.insert(arguments.end(), {"--without", peer});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
}

int exit_code(const ended& end) {
    return WIFEXITED(end.status) ? WEXITSTATUS(end.status) : -1;
}

testing::AssertionResult says(const std::string& text, const std::string& part) {
    if (text.find(part) != std::string::npos)
        return testing::AssertionSuccess();
    return testing::AssertionFailure() << "not a word of '" << part << "' in: " << text;
}

} // namespace lowtide::bench::test
