// Starting other programs and waiting for them: with their output caught, a time limit, and nothing left
// behind.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <signal.h>
#include <string>
#include <sys/resource.h>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace lowtide::bench {

/// Owns a file descriptor.
class descriptor {
public:
    explicit descriptor(int number = -1) : number_(number) {}
    ~descriptor();
    descriptor(descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    descriptor& operator=(descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }

    int get() const { return number_; }

private:
    int number_;
};

/// Who a program is to run as, when we are root and it refuses to.
struct account {
    uid_t user;
    gid_t group;
};

/// What to start, and how.
struct launch {
    std::vector<std::string> words{};               // the program's path and its arguments
    std::map<std::string, std::string> variables{}; // on top of our own environment, less LD_PRELOAD
    std::filesystem::path directory = "/";
    std::filesystem::path input = "/dev/null";
    const account* run_as = nullptr;
};

struct ended {
    int status; // as wait(2) has it
    rusage usage;
    std::string output;
    std::string errors;

    bool succeeded() const { return status == 0; }
    /// "exit code 1: what it said last", "killed by signal 11 (Segmentation fault)"
    std::string reason() const;
};

using seconds = std::chrono::duration<double>;

/// A running program. It leads a process group of its own, so a Ctrl-C reaches it through us only; the group
/// is killed when the child is destroyed, or when we die ourselves.
class child {
public:
    ~child();
    child(child&& other) noexcept;
    child& operator=(child&&) = delete;

    pid_t pid() const { return pid_; }
    bool running() const { return pid_ > 0; }
    void signal(int number) const;
    /// Asks it to end, waits for that, and kills it if it takes too long. For destructors: no signal to us
    /// matters.
    void end(int number, seconds patience) noexcept;

private:
    friend class supervisor;
    child() = default;
    ended reap(); // of one that has ended, or has been killed

    pid_t pid_ = -1;
    descriptor handle_;
    descriptor output_;
    descriptor errors_;
};

/// While it exists, SIGINT, SIGTERM and SIGHUP do not end the process but make every wait throw
/// `interrupted`; the destructors on the way out then clean up.
class supervisor {
public:
    supervisor();
    ~supervisor();
    supervisor(const supervisor&) = delete;
    supervisor& operator=(const supervisor&) = delete;

    /// Throws run_failed if there is no such program.
    child start(const launch& what) const;
    /// Waits for its end; throws run_failed after `limit`, having killed it.
    ended wait(child& running, seconds limit) const;
    /// Both.
    ended run(const launch& what, seconds limit) const;
    /// Nothing but time passes. Returns early, and says true, if the child ends.
    bool pause(const child& running, seconds time) const;

private:
    sigset_t mask_;
    sigset_t former_mask_;
    descriptor signals_;
};

/// Where the shell would find the program; empty if nowhere.
std::filesystem::path find_program(const std::string& name);

} // namespace lowtide::bench
