// See process.h.
#include "runner/process.h"

#include "runner/errors.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

extern "C" { // glibc 2.36 forgot to say so in the header
#include <sys/pidfd.h>
}

namespace lowtide::bench {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

int checked(int result, const char* what) {
    if (result < 0)
        fail(what);
    return result;
}

std::string whole_text(const descriptor& file) {
    std::string text(
        static_cast<std::size_t>(checked(static_cast<int>(lseek(file.get(), 0, SEEK_END)), "lseek")), '\0');
    const ssize_t length = pread(file.get(), text.data(), text.size(), 0);
    text.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
    return text;
}

std::string_view last_line(std::string_view text) {
    while (text.ends_with('\n'))
        text.remove_suffix(1);
    const std::size_t newline = text.rfind('\n');
    return newline == std::string_view::npos ? text : text.substr(newline + 1);
}

int milliseconds(seconds time) {
    return static_cast<int>(time.count() * 1000);
}

/// argv or envp. The strings must outlive it.
std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> list;
    for (const std::string& each : strings)
        list.push_back(const_cast<char*>(each.c_str()));
    list.push_back(nullptr);
    return list;
}

std::vector<std::string> environment(const launch& what) {
    std::vector<std::string> list;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string text = *entry;
        const std::string key = text.substr(0, text.find('='));
        if (key != "LD_PRELOAD" && !what.variables.contains(key))
            list.push_back(text);
    }
    for (const auto& [key, value] : what.variables)
        list.push_back(key + '=' + value);
    return list;
}

/// In the new process: becomes the program. Comes back, with errno, only if that fails.
void become(const launch& what, char* const* words, char* const* variables, const sigset_t& mask, int output,
            int errors) {
    const int input = open(what.input.c_str(), O_RDONLY | O_CLOEXEC);
    if (input < 0 || dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(errors, STDERR_FILENO) < 0 || setpgid(0, 0) != 0 || chdir(what.directory.c_str()) != 0)
        return;
    if (what.run_as != nullptr &&
        (setgroups(0, nullptr) != 0 || setgid(what.run_as->group) != 0 || setuid(what.run_as->user) != 0))
        return;
    // After setuid, which forgets it.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigprocmask(SIG_SETMASK, &mask, nullptr);
    execve(words[0], words, variables);
}

} // namespace

descriptor::~descriptor() {
    if (number_ >= 0)
        close(number_);
}

std::string ended::reason() const {
    std::string text;
    if (WIFSIGNALED(status))
        text = fmt::format("killed by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        text = fmt::format("exit code {}", WEXITSTATUS(status));
    if (const std::string_view said = last_line(errors); !said.empty())
        text += fmt::format(": {}", said);
    return text;
}

child::child(child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), handle_(std::move(other.handle_)),
      output_(std::move(other.output_)), errors_(std::move(other.errors_)) {}

child::~child() {
    if (running())
        end(SIGKILL, seconds(0));
}

void child::signal(int number) const {
    kill(-pid_, number);
}

void child::end(int number, seconds patience) noexcept {
    signal(number);
    pollfd event{handle_.get(), POLLIN, 0};
    while (poll(&event, 1, milliseconds(patience)) < 0 && errno == EINTR) {
    }
    signal(SIGKILL);
    waitpid(std::exchange(pid_, -1), nullptr, 0);
}

ended child::reap() {
    // Also what it left of its group, such as the compiler of a driver that was killed. It is not reaped yet,
    // so nobody else can have its number.
    signal(SIGKILL);
    ended result{};
    while (wait4(pid_, &result.status, 0, &result.usage) < 0)
        if (errno != EINTR)
            fail("wait4");
    pid_ = -1;
    result.output = whole_text(output_);
    result.errors = whole_text(errors_);
    return result;
}

supervisor::supervisor() {
    sigemptyset(&mask_);
    for (const int number : {SIGINT, SIGTERM, SIGHUP})
        sigaddset(&mask_, number);
    sigprocmask(SIG_BLOCK, &mask_, &former_mask_);
    signals_ = descriptor(checked(signalfd(-1, &mask_, SFD_CLOEXEC), "signalfd"));
}

supervisor::~supervisor() {
    // What came has been answered; left pending, it would end the process before the results are out.
    const timespec at_once{};
    while (sigtimedwait(&mask_, nullptr, &at_once) > 0) {
    }
    sigprocmask(SIG_SETMASK, &former_mask_, nullptr);
}

child supervisor::start(const launch& what) const {
    child started;
    started.output_ = descriptor(checked(memfd_create("output", MFD_CLOEXEC), "memfd_create"));
    started.errors_ = descriptor(checked(memfd_create("errors", MFD_CLOEXEC), "memfd_create"));
    int ends[2];
    checked(pipe2(ends, O_CLOEXEC), "pipe2");
    const descriptor read_end(ends[0]);
    descriptor write_end(ends[1]);
    const std::vector<std::string> variables = environment(what);
    const std::vector<char*> words_list = pointers(what.words);
    const std::vector<char*> variables_list = pointers(variables);

    started.pid_ = checked(fork(), "fork");
    if (started.pid_ == 0) {
        become(what, words_list.data(), variables_list.data(), former_mask_, started.output_.get(),
               started.errors_.get());
        const int reason = errno;
        (void)!write(write_end.get(), &reason, sizeof reason);
        _exit(127);
    }
    write_end = descriptor(); // now only the child has it, and exec closes it
    int reason = 0;
    if (read(read_end.get(), &reason, sizeof reason) > 0)
        throw run_failed(fmt::format("cannot start {}: {}", what.words.front(), strerror(reason)));
    started.handle_ = descriptor(checked(pidfd_open(started.pid_, 0), "pidfd_open"));
    return started;
}

bool supervisor::pause(const child& running, seconds time) const {
    pollfd events[] = {{signals_.get(), POLLIN, 0}, {running.handle_.get(), POLLIN, 0}};
    while (poll(events, std::size(events), milliseconds(time)) < 0)
        if (errno != EINTR)
            fail("poll");
    if (events[0].revents != 0)
        throw interrupted();
    return events[1].revents != 0;
}

ended supervisor::wait(child& running, seconds limit) const {
    const bool in_time = pause(running, limit);
    if (!in_time)
        running.signal(SIGKILL);
    ended result = running.reap();
    if (!in_time)
        throw run_failed(fmt::format("not finished after {:.0f} s", limit.count()));
    return result;
}

ended supervisor::run(const launch& what, seconds limit) const {
    child running = start(what);
    return wait(running, limit);
}

fs::path find_program(const std::string& name) {
    const char* const path = std::getenv("PATH");
    std::string_view list = path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path;
    while (!list.empty()) {
        const std::size_t colon = std::min(list.find(':'), list.size());
        const fs::path candidate = fs::path(list.substr(0, colon)) / name;
        if (access(candidate.c_str(), X_OK) == 0 && !fs::is_directory(candidate))
            return candidate;
        list.remove_prefix(std::min(colon + 1, list.size()));
    }
    return {};
}

} // namespace lowtide::bench
