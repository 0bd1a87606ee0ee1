// Running programs: see child.h.
#include "child.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

namespace lowtide::test {

namespace fs = std::filesystem;

namespace {

std::string read_all(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<char*> pointers_to(const std::vector<std::string>& words) {
    std::vector<char*> result;
    for (const std::string& word : words)
        result.push_back(const_cast<char*>(word.c_str()));
    result.push_back(nullptr);
    return result;
}

} // namespace

int child_result::exit_code() const {
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

child_result child::run() const {
    const temporary_folder files; // instead of pipes, which have to be emptied
    files.write("input", input);
    const std::string in = files.path() / "input";
    const std::string out = files.path() / "output";
    const std::string err = files.path() / "errors";
    std::vector<std::string> variables = {std::string("PATH=") + std::getenv("PATH")};
    for (const auto& [name, value] : environment)
        variables.push_back(name + "=" + value);
    const std::vector<char*> argument_list = pointers_to(command);
    const std::vector<char*> variable_list = pointers_to(variables);

    child_result result;
    result.pid = fork();
    if (result.pid == 0) {
        // What the test itself was started with is none of the program's business.
        close_range(3, ~0u, 0);
        const bool ready = freopen(in.c_str(), "r", stdin) != nullptr &&
                           freopen(out.c_str(), "w", stdout) != nullptr &&
                           freopen(err.c_str(), "w", stderr) != nullptr && chdir(folder.c_str()) == 0 &&
                           (user == 0 || (setgid(user) == 0 && setuid(user) == 0));
        if (ready)
            execve(argument_list[0], argument_list.data(), variable_list.data());
        _exit(99);
    }
    if (result.pid < 0 || waitpid(result.pid, &result.status, 0) != result.pid)
        throw std::runtime_error("cannot run " + command.front());
    result.output = read_all(out);
    result.errors = read_all(err);
    return result;
}

temporary_folder::temporary_folder() {
    std::string pattern = fs::temp_directory_path() / "lowtide-test-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr)
        throw std::runtime_error("cannot make a folder like " + pattern);
    path_ = pattern;
    fs::permissions(path_, fs::perms(0755)); // for tests that become another user
}

temporary_folder::~temporary_folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

fs::path temporary_folder::write(const fs::path& name, const std::string& text, fs::perms mode) const {
    const fs::path file = path_ / name;
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
    fs::permissions(file, mode);
    return file;
}

} // namespace lowtide::test
