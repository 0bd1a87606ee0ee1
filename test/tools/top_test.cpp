// `lowtide top`: in batches and on a terminal, of processes that work, idle, end and don't answer.
#include "child.h"
#include "worker.h"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lowtide::tools {
namespace {

using test::child;
using test::child_result;
using test::worker;

constexpr std::size_t MiB = std::size_t{1} << 20;

child_result top(std::vector<std::string> words, unsigned user = 0) {
    words.insert(words.begin(), {LOWTIDE_COMMAND, "top"});
    return child{words, {}, {}, "/", user}.run();
}

/// Of the line of a process, or null.
nlohmann::json entry_of(const std::string& line, pid_t pid) {
    const nlohmann::json all = nlohmann::json::parse(line);
    for (const auto& entry : all["processes"])
        if (entry["pid"] == pid)
            return entry;
    return nullptr;
}

/// A process may need its time on a loaded machine: the last of so many looks.
nlohmann::json last_of(const worker& w) {
    const child_result result = top({std::to_string(w.pid()), "--json", "-n", "4", "-d", "0.5"});
    EXPECT_EQ(result.exit_code(), 0) << result.errors;
    const std::size_t last = result.output.rfind('\n', result.output.size() - 2);
    return entry_of(result.output.substr(last + 1), w.pid());
}

TEST(top, shows_what_a_process_has_idle_or_at_work) {
    for (const char* how : {"busy", "idle"}) {
        const worker w(2, "decay:-1", how);
        const nlohmann::json entry = last_of(w);
        ASSERT_TRUE(entry.contains("live_bytes")) << how << entry;
        EXPECT_NEAR(entry["live_bytes"].get<double>(), 300 * 131'072.0, 4.0 * MiB);
        EXPECT_GE(entry["dirty_bytes"], 20 * MiB);
        EXPECT_GE(entry["resident_bytes"], 50 * MiB);
        EXPECT_EQ(entry["command"], "works");
        EXPECT_FALSE(std::filesystem::exists(w.mailbox()));
    }
}

TEST(top, finds_processes_by_itself_and_prints_a_table) {
    const worker w(2);
    const child_result result = top({"-b", "-n", "1"});
    EXPECT_EQ(result.exit_code(), 0) << result.errors;
    EXPECT_NE(result.output.find("PID   RESIDENT"), std::string::npos);
    EXPECT_NE(result.output.find(std::to_string(w.pid())), std::string::npos) << result.output;
    EXPECT_NE(result.output.find("works\n"), std::string::npos);
}

TEST(top, shows_one_process_with_its_size_classes) {
    const worker w(2, "decay:-1", "idle");
    const child_result result = top({std::to_string(w.pid()), "-n", "3", "-d", "0.5"});
    EXPECT_NE(result.output.find("held by the program"), std::string::npos) << result.output;
    EXPECT_NE(result.output.find("    131072        0          300          300 "), std::string::npos)
        << result.output;
}

TEST(top, says_why_there_is_nothing) {
    EXPECT_EQ(top({"99999999", "-n", "1"}).errors, "lowtide: there is no process 99999999\n");
    const child_result not_ours = top({std::to_string(getpid()), "-n", "6", "-d", "0.4"});
    EXPECT_EQ(not_ours.exit_code(), 0);
    EXPECT_NE(not_ours.output.find("it has not loaded liblowtide.so"), std::string::npos) << not_ours.output;
    EXPECT_FALSE(std::filesystem::exists("/dev/shm/lowtide." + std::to_string(getpid())))
        << "the request is withdrawn";
    for (const char* wrong : {"-n0", "-nx", "-d0", "-dnan", "-1"})
        EXPECT_EQ(top({wrong}).exit_code(), 125) << wrong;
    if (geteuid() == 0) {
        const worker w(2);
        const child_result others = top({std::to_string(w.pid()), "-n", "1"}, 65534);
        EXPECT_EQ(others.exit_code(), 125);
        EXPECT_NE(others.errors.find("is another user's"), std::string::npos) << others.errors;
        EXPECT_EQ(top({"-b", "-n", "1"}, 65534).output.find(std::to_string(w.pid())), std::string::npos);
    }
}

TEST(top, ends_when_the_only_process_has) {
    worker w(2);
    const std::string id = std::to_string(w.pid());
    const pid_t other = fork();
    if (other == 0) {
        usleep(700'000);
        kill(w.pid(), SIGKILL);
        _exit(0);
    }
    // Killed, it waits for its status to be asked for: that is the end, too.
    const child_result result = top({id, "-b", "-d", "0.2"});
    EXPECT_EQ(result.exit_code(), 125);
    EXPECT_EQ(result.errors, "lowtide: there is no such process any more\n");
    waitpid(other, nullptr, 0);
}

/// The command on a terminal of its own.
class terminal {
public:
    explicit terminal(const std::vector<std::string>& words) {
        winsize size{40, 140, 0, 0};
        pid_ = forkpty(&fd_, nullptr, nullptr, &size);
        if (pid_ == 0) {
            setenv("TERM", "xterm", 1);
            std::vector<char*> arguments{const_cast<char*>("lowtide"), const_cast<char*>("top")};
            for (const std::string& word : words)
                arguments.push_back(const_cast<char*>(word.c_str()));
            arguments.push_back(nullptr);
            execv(LOWTIDE_COMMAND, arguments.data());
            _exit(127);
        }
    }
    ~terminal() {
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
        }
        close(fd_);
    }
    terminal(const terminal&) = delete;
    terminal& operator=(const terminal&) = delete;

    /// Waits until it has been drawn.
    bool shows(const std::string& text) {
        while (seen_.find(text) == seen_.npos)
            if (!read_some())
                return false;
        seen_.clear();
        return true;
    }
    void type(const char* keys) const { EXPECT_GT(write(fd_, keys, strlen(keys)), 0); }
    void resize() const {
        winsize size{20, 80, 0, 0};
        ioctl(fd_, TIOCSWINSZ, &size);
    }
    pid_t pid() const { return pid_; }
    /// How it ended, as waitpid tells it, and what was drawn until then.
    int end() {
        while (read_some()) {
        }
        int status = 0;
        waitpid(pid_, &status, 0);
        pid_ = 0;
        return status;
    }
    const std::string& seen() const { return seen_; }

private:
    bool read_some() {
        pollfd ready{fd_, POLLIN, 0};
        char text[4096];
        if (poll(&ready, 1, 20'000) <= 0)
            return false;
        const ssize_t got = read(fd_, text, sizeof(text));
        if (got > 0)
            seen_.append(text, static_cast<std::size_t>(got));
        return got > 0;
    }

    int fd_ = -1;
    pid_t pid_ = 0;
    std::string seen_;
};

const std::string screen_left = "\x1b[?1049l"; // xterm's way back to what was there before

TEST(top, on_a_terminal_obeys_its_keys) {
    const worker w(2, "decay:-1", "idle");
    const worker other(2, "decay:-1", "idle");
    terminal t({"-d", "0.3"});
    EXPECT_TRUE(t.shows("works"));
    t.type("h");
    EXPECT_TRUE(t.shows("Keys:"));
    t.type("\x1b");
    EXPECT_TRUE(t.shows("RESIDENT"));
    t.type("P\n");
    EXPECT_TRUE(t.shows("metadata"));
    t.resize();
    EXPECT_TRUE(t.shows("metadata")) << "drawn again";
    t.type("s");
    EXPECT_TRUE(t.shows("nothing has been sampled"));
    t.type("q");
    EXPECT_EQ(t.end(), 0);
    EXPECT_NE(t.seen().find(screen_left), std::string::npos);
    EXPECT_FALSE(std::filesystem::exists(w.mailbox()));
}

TEST(top, leaves_the_terminal_as_it_was_whatever_ends_it) {
    const worker w(2, "decay:-1", "idle");
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
        terminal t({std::to_string(w.pid()), "-d", "0.3"});
        EXPECT_TRUE(t.shows("metadata"));
        kill(t.pid(), signal);
        const int status = t.end();
        EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal) << status;
        EXPECT_NE(t.seen().find(screen_left), std::string::npos);
    }
}

} // namespace
} // namespace lowtide::tools
