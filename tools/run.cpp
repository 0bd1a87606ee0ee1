// `lowtide run`: see run.h. Nothing is left behind but the environment: no file is open, no signal is
// handled, and standard input, output and error are the program's.
#include "run.h"

#include "base/options.h"
#include "errors.h"
#include "library.h"
#include "preflight.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <set>
#include <sstream>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace lowtide::tools {

namespace {

namespace fs = std::filesystem;

/// Of a profile, if nobody says anything else.
constexpr std::string_view profile_rate = "sample:512K";

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

void export_variable(const char* name, const std::string& value) {
    if (setenv(name, value.c_str(), 1) != 0)
        throw user_error(fmt::format("cannot set {}: {}", name, std::strerror(errno)));
}

std::vector<std::string> entries_of(const std::string& configuration) {
    std::vector<std::string> entries;
    std::istringstream in(configuration);
    for (std::string entry; std::getline(in, entry, ',');)
        entries.push_back(entry);
    return entries;
}

std::string key_of(const std::string& entry) {
    const std::string key = entry.substr(0, entry.find(':'));
    const std::size_t begin = key.find_first_not_of(" \t");
    return begin == key.npos ? "" : key.substr(begin, key.find_last_not_of(" \t") + 1 - begin);
}

/// An environment may come from anywhere, and is only warned of; what was typed just now has to be right.
void check_configuration(const std::string& configuration) {
    std::string trouble;
    const auto collect = [](void* into, std::string_view line) noexcept {
        constexpr std::string_view prefix = "lowtide: ";
        line.remove_prefix(line.starts_with(prefix) ? prefix.size() : 0);
        auto& text = *static_cast<std::string*>(into);
        text.append(text.empty() ? "" : "; ").append(line.substr(0, line.find("; using")));
    };
    options{}.parse(configuration, option_source::environment, {collect, &trouble});
    if (!trouble.empty())
        throw user_error("--conf: " + trouble);
}

/// Whether a report, or what it is, can be written is known now; the program may run for days before it is.
void check_writable(const fs::path& report, std::string_view what) {
    struct stat status {};
    const bool exists = lstat(report.c_str(), &status) == 0; // a link counts, even one that leads nowhere yet
    const bool opens_at_once =
        stat(report.c_str(), &status) != 0 || S_ISREG(status.st_mode) || S_ISDIR(status.st_mode);
    const auto fail = [&] {
        throw user_error(
            fmt::format("cannot write a {} to {}: {}", what, report.string(), std::strerror(errno)));
    };
    if (!opens_at_once) { // a pipe: opening it would wait for its reader
        if (faccessat(AT_FDCWD, report.c_str(), W_OK, AT_EACCESS) != 0)
            fail();
        return;
    }
    const int fd = open(report.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        fail();
    close(fd);
    if (!exists)
        unlink(report.c_str());
}

/// What the library writes into a file when the program ends, once it knows by the variable where. The
/// process id stays the same, and tells the program from the processes that it starts.
void export_target(const char* variable, const std::string& requested, std::string_view what) {
    fs::path path = requested;
    if (requested != "-") {
        path = fs::absolute(requested); // the program may change its directory
        check_writable(path, what);
    }
    export_variable(variable, fmt::format("{}:{}", getpid(), path.string()));
}

void append_to_preload(const fs::path& library) {
    if (library.native().find_first_of(": ") != std::string::npos)
        throw user_error(fmt::format("LD_PRELOAD cannot name {}, because of the space or colon in it; "
                                     "LOWTIDE_LIB can name a link elsewhere",
                                     library.string()));
    const std::string before = variable("LD_PRELOAD");
    export_variable("LD_PRELOAD", before.empty() ? library.string() : before + ":" + library.string());
}

/// Says what was found; whether Lowtide can be the program's malloc.
bool report_findings(const std::vector<finding>& findings) {
    bool loadable = true;
    for (const finding& f : findings) {
        fmt::print(stderr, "lowtide: {}\n", f.text);
        loadable &= !f.fatal;
    }
    return loadable;
}

int exec(const std::vector<std::string>& command) {
    std::vector<char*> arguments;
    for (const std::string& word : command)
        arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    execvp(arguments[0], arguments.data());
    const int error = errno;
    const bool lacks_interpreter = error == ENOENT && find_program(command.front());
    fmt::print(stderr, "lowtide: {}: {}\n", command.front(),
               lacks_interpreter ? "the interpreter or loader that it asks for does not exist"
                                 : std::strerror(error));
    return error == ENOENT ? exit_not_found : exit_not_executable;
}

} // namespace

std::string merge_configurations(const std::string& base, const std::string& above) {
    const std::vector<std::string> new_entries = entries_of(above);
    std::set<std::string> replaced;
    for (const std::string& entry : new_entries)
        replaced.insert(key_of(entry));
    std::string merged;
    const auto append = [&](const std::string& entry) {
        merged.append(merged.empty() ? "" : ",").append(entry);
    };
    for (const std::string& entry : entries_of(base))
        if (!replaced.contains(key_of(entry)))
            append(entry);
    for (const std::string& entry : new_entries)
        append(entry);
    return merged;
}

int run(const run_request& request) {
    const fs::path library = find_library();
    const auto library_file = elf_file::read(library);
    if (!library_file)
        throw user_error(fmt::format("{} is no shared library", library.string()));
    check_configuration(request.configuration);

    bool loadable = true;
    if (const auto program = find_program(request.command.front()))
        loadable = report_findings(
            preflight(follow_interpreters(*program), library_file->target, variable("LD_PRELOAD")));
    if (!loadable && !request.force) {
        fmt::print(stderr, "lowtide: not started, since it would not run on Lowtide (--force starts it)\n");
        return exit_not_started;
    }

    if (request.report)
        export_target("LOWTIDE_REPORT", *request.report, "report");
    if (request.profile)
        export_target("LOWTIDE_PROFILE", *request.profile, "profile");
    if (request.leaks) {
        export_target("LOWTIDE_LEAKS", *request.leaks, "report of leaks");
        std::error_code error;
        const fs::path self = fs::read_symlink("/proc/self/exe", error);
        if (!error)
            export_variable("LOWTIDE_VIEWER", fmt::format("{}:{}", getpid(), self.string()));
    }
    if (loadable)
        export_variable("LOWTIDE_VERIFY", std::to_string(getpid()));
    else
        unsetenv("LOWTIDE_VERIFY");
    std::string configuration = variable("LOWTIDE_CONF");
    if (!request.configuration.empty())
        configuration = merge_configurations(configuration, request.configuration);
    if (request.profile)
        configuration = merge_configurations(std::string(profile_rate), configuration);
    if (request.leaks)
        configuration = merge_configurations(merge_configurations("sample:1", configuration), "leaks:true");
    if (configuration != variable("LOWTIDE_CONF"))
        export_variable("LOWTIDE_CONF", configuration);
    append_to_preload(library);
    return exec(request.command);
}

} // namespace lowtide::tools
