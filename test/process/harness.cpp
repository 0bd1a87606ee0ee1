// The harness of the process tests: registration, the child processes and what they wrote, and main.
#include "harness.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>

namespace harness {
namespace {

constexpr int kSkipStatus = 77;

constinit registration* registrations = nullptr;
char executable[4096];

const registration* find(const char* name) {
    for (const registration* r = registrations; r != nullptr; r = r->next) {
        if (std::strcmp(r->name, name) == 0) {
            return r;
        }
    }
    return nullptr;
}

void write_whole(int fd, std::string_view text) {
    while (!text.empty()) {
        ssize_t written = write(fd, text.data(), text.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return;
        }
        text.remove_prefix(static_cast<size_t>(written));
    }
}

// A file in memory that takes what a child writes: no pipe to be drained, so nobody can wait for anybody.
int capture_file() {
    int fd = memfd_create("capture", MFD_CLOEXEC);
    REQUIRE(fd >= 0);
    return fd;
}

std::string read_capture(int fd) {
    std::string text;
    char buffer[4096];
    off_t at = 0;
    for (ssize_t n; (n = pread(fd, buffer, sizeof buffer, at)) > 0; at += n) {
        text.append(buffer, static_cast<size_t>(n));
    }
    close(fd);
    return text;
}

void set_environment(const std::vector<std::string>& settings) {
    for (const std::string& setting : settings) {
        size_t equals = setting.find('=');
        if (equals == std::string::npos) {
            unsetenv(setting.c_str());
        } else {
            setenv(setting.substr(0, equals).c_str(), setting.substr(equals + 1).c_str(), 1);
        }
    }
}

void require_own_allocator() {
    if (!malloc_is_ours()) {
        write_whole(STDERR_FILENO, "malloc of this process is not Lowtide's: the test would show nothing\n");
        _exit(1);
    }
}

} // namespace

registration::registration(const char* name_, kind what_, test_body body_)
    : name(name_), what(what_), body(body_), next(registrations) {
    registrations = this;
}

void fail(const char* file, int line, const char* what) {
    char text[512];
    int saved = errno;
    const char* slash = std::strrchr(file, '/');
    int n = std::snprintf(text, sizeof text, "%s:%d: [%d] not so: %s (errno %d)\n", slash ? slash + 1 : file,
                          line, static_cast<int>(getpid()), what, saved);
    write_whole(STDERR_FILENO, {text, n > 0 ? static_cast<size_t>(n) : 0});
    _exit(1);
}

void skip(std::string_view why) {
    write_whole(STDERR_FILENO, "skipped: ");
    write_whole(STDERR_FILENO, why);
    write_whole(STDERR_FILENO, "\n");
    _exit(kSkipStatus);
}

std::string library_path() {
    const char* path = std::getenv("LOWTIDE_TEST_LIBRARY");
    REQUIRE(path != nullptr && path[0] == '/');
    return path;
}

bool any_allocator_allowed() {
    return std::getenv("LOWTIDE_TEST_ANY_ALLOCATOR") != nullptr;
}

bool malloc_is_ours() {
    if (any_allocator_allowed()) {
        return true;
    }
    using owns_function = int (*)(const void*);
    auto owns = reinterpret_cast<owns_function>(dlsym(RTLD_DEFAULT, "lowtide_owns"));
    if (owns == nullptr) {
        return false;
    }
    void* block = std::malloc(32);
    bool ours = owns(block) != 0;
    std::free(block);
    return ours;
}

void guard_child() {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(kHangSeconds);
}

pid_t fork_guarded() {
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        guard_child();
    }
    return child;
}

int wait_for(pid_t child) {
    int status = 0;
    pid_t waited;
    do {
        waited = waitpid(child, &status, 0);
    } while (waited < 0 && errno == EINTR);
    REQUIRE(waited == child);
    return status;
}

void require_success(pid_t child) {
    int status = wait_for(child);
    REQUIRE(!(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) && "the child hangs");
    REQUIRE(!WIFSIGNALED(status) && "the child was killed by a signal");
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

outcome run(const launch& what) {
    std::vector<char*> argv;
    for (const std::string& argument : what.arguments) {
        argv.push_back(const_cast<char*>(argument.c_str()));
    }
    argv.push_back(nullptr);
    int out = capture_file();
    int err = capture_file();
    pid_t child = fork_guarded();
    if (child == 0) {
        dup2(out, STDOUT_FILENO);
        dup2(err, STDERR_FILENO);
        set_environment(what.environment);
        if (what.prepare != nullptr) {
            what.prepare();
        }
        execvp(argv[0], argv.data());
        _exit(127);
    }
    outcome result;
    result.status = wait_for(child);
    result.out = read_capture(out);
    result.err = read_capture(err);
    return result;
}

std::vector<std::string> part_command(const char* part) {
    REQUIRE(find(part) != nullptr);
    return {executable, part};
}

outcome run_part(const char* part, launch how) {
    std::vector<std::string> command = part_command(part);
    command.insert(command.end(), how.arguments.begin(), how.arguments.end());
    how.arguments = command;
    return run(how);
}

void require_success(const outcome& of) {
    if (of.exited_with(kSkipStatus)) {
        write_whole(STDERR_FILENO, of.err);
        _exit(kSkipStatus);
    }
    if (!of.exited_with(0)) {
        char text[128];
        int n = std::snprintf(text, sizeof text, "the child ended with wait status 0x%x after writing:\n",
                              static_cast<unsigned>(of.status));
        write_whole(STDERR_FILENO, {text, static_cast<size_t>(n)});
        write_whole(STDERR_FILENO, of.out);
        write_whole(STDERR_FILENO, of.err);
        if (of.killed_by(SIGALRM)) {
            write_whole(STDERR_FILENO, "(the alarm: it hung)\n");
        }
        _exit(1);
    }
}

void say(std::string_view text) {
    write_whole(STDOUT_FILENO, text);
}

namespace {

struct memory_pages {
    unsigned long mapped = 0;
    unsigned long resident = 0;
};

memory_pages own_memory() {
    char text[128] = {};
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    REQUIRE(fd >= 0);
    REQUIRE(read(fd, text, sizeof text - 1) > 0);
    close(fd);
    memory_pages own;
    REQUIRE(std::sscanf(text, "%lu %lu", &own.mapped, &own.resident) == 2);
    return own;
}

} // namespace

size_t resident_bytes() {
    return own_memory().resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

size_t resident_bytes_in_use() {
    malloc_trim(0);
    return resident_bytes();
}

size_t mapped_bytes() {
    return own_memory().mapped * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

} // namespace harness

int main(int argc, char** argv) {
    using namespace harness;
    alarm(kHangSeconds);
    const registration* test = argc >= 2 ? find(argv[1]) : nullptr;
    if (test == nullptr) {
        write_whole(STDERR_FILENO, "usage: PROGRAM NAME, a promise of this program:\n");
        for (const registration* r = registrations; r != nullptr; r = r->next) {
            if (r->what != kind::part) {
                write_whole(STDERR_FILENO, r->name);
                write_whole(STDERR_FILENO, "\n");
            }
        }
        return 2;
    }
    ssize_t n = readlink("/proc/self/exe", executable, sizeof executable - 1);
    if (n <= 0 && realpath(argv[0], executable) == nullptr) {
        return 2;
    }
    if (test->what == kind::promise) {
        require_own_allocator();
    }
    test->body();
    return 0;
}
