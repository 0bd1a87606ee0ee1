// `lowtide trim` and `lowtide set`: a running process does what it is asked to, by its user and nobody else.
#include "child.h"
#include "worker.h"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lowtide::tools {
namespace {

namespace fs = std::filesystem;
using test::child;
using test::child_result;
using test::worker;

child_result ask(std::vector<std::string> words, unsigned user = 0) {
    words.insert(words.begin(), LOWTIDE_COMMAND);
    return child{words, {}, {}, "/", user}.run();
}

child_result trim(const worker& w) {
    return ask({"trim", std::to_string(w.pid()), "--wait", "20"});
}

nlohmann::json facts_of_trim(const worker& w) {
    const child_result result = ask({"trim", std::to_string(w.pid()), "--wait", "20", "--json"});
    EXPECT_EQ(result.exit_code(), 0) << result.errors;
    return nlohmann::json::parse(result.output);
}

child_result set(const worker& w, const std::string& options) {
    return ask({"set", std::to_string(w.pid()), options, "--wait", "20"});
}

constexpr std::size_t MiB = std::size_t{1} << 20;

TEST(control, trim_has_a_process_return_what_is_free) {
    for (const int threads : {1, 3}) {
        const worker w(threads);
        const nlohmann::json facts = facts_of_trim(w);
        EXPECT_EQ(facts["process"], w.pid());
        EXPECT_GE(facts["returned_bytes"], 25 * MiB) << threads << " threads";
        EXPECT_LT(facts["resident_bytes"], facts["resident_bytes_before"]);
        EXPECT_FALSE(fs::exists(w.mailbox()));
    }
}

TEST(control, an_idle_process_with_threads_is_heard) {
    const worker w(2, "decay:-1", "idle");
    for (const int seconds : {2, 12}) { // asleep, and after it has looked whether it is alone
        sleep(seconds);
        EXPECT_EQ(trim(w).exit_code(), 0) << seconds;
    }
}

TEST(control, trim_says_so_to_a_person_and_can_be_repeated) {
    const worker w(1);
    for (int i = 0; i < 3; ++i) {
        const child_result result = trim(w);
        EXPECT_EQ(result.exit_code(), 0);
        EXPECT_EQ(result.errors, "");
        EXPECT_NE(result.output.find("process " + std::to_string(w.pid()) + ": "), std::string::npos)
            << result.output;
        EXPECT_NE(result.output.find(" returned; "), std::string::npos) << result.output;
    }
}

TEST(control, set_changes_options_that_can_be_changed) {
    for (const int threads : {1, 2}) {
        const worker w(threads);
        const child_result cap = set(w, "dirty_cap:0,dirty_share:1000");
        EXPECT_EQ(cap.exit_code(), 0) << cap.errors;
        EXPECT_LT(facts_of_trim(w)["returned_bytes"], 15 * MiB) << "the cap has returned it already";
    }
    const worker w(1);
    EXPECT_EQ(set(w, "limit:1M").exit_code(), 0);
    EXPECT_LT(facts_of_trim(w)["returned_bytes"], 15 * MiB);
}

TEST(control, what_cannot_be_set_is_said_and_nothing_is_set) {
    const worker w(1);
    for (const auto& [options, why] : std::vector<std::pair<std::string, std::string>>{
             {"rseq:false", "option 'rseq' can't be changed in a running process; nothing was set"},
             {"dirty_cop:1M", "unknown option 'dirty_cop' (did you mean 'dirty_cap'?); nothing was set"},
             {"dirty_cap:0,decay:x", "'x' is not a time in ms (range -1 to 3600000); nothing was set"},
             {"dirty_cap:0\ndecay:0", "the options have to be on one line, and fewer; nothing was set"},
             {",", "set: no option is given"},
             {"# nothing", "set: no option is given"}}) {
        const child_result result = set(w, options);
        EXPECT_EQ(result.exit_code(), 125) << options;
        EXPECT_EQ(result.output, "") << options;
        EXPECT_NE(result.errors.find(why), std::string::npos) << result.errors;
    }
    EXPECT_GE(facts_of_trim(w)["returned_bytes"], 25 * MiB) << "the dirty memory is still there";
}

TEST(control, a_process_that_does_not_listen_gets_no_request_left_behind) {
    const worker w(1, "control:false");
    const child_result result = ask({"trim", std::to_string(w.pid()), "--wait", "0.3"});
    EXPECT_EQ(result.exit_code(), 125);
    EXPECT_EQ(result.output, "");
    EXPECT_NE(result.errors.find("does not answer"), std::string::npos) << result.errors;
    EXPECT_FALSE(fs::exists(w.mailbox()));
}

TEST(control, who_is_not_there_or_not_on_lowtide_is_said) {
    EXPECT_EQ(ask({"trim", "2147483647"}).errors, "lowtide: there is no process 2147483647\n");
    const std::string self = std::to_string(getpid());
    EXPECT_EQ(ask({"trim", self, "--wait", "0.1"}).errors,
              "lowtide: process " + self +
                  " does not answer: it has not loaded liblowtide.so, nor, perhaps, been linked with it\n");
    for (const char* wrong : {"0", "-1", "x", "1.5", "99999999999"})
        EXPECT_EQ(ask({"trim", wrong}).exit_code(), 125) << wrong;
    for (const char* wrong : {"nan", "-1", "x", "1e9", "-nan"})
        EXPECT_EQ(ask({"trim", self, "--wait", wrong}).exit_code(), 125) << wrong;
    EXPECT_EQ(ask({"trim"}).exit_code(), 125);
    EXPECT_EQ(ask({"set", self}).exit_code(), 125);
}

TEST(control, another_users_process_is_not_asked) {
    if (geteuid() != 0)
        GTEST_SKIP() << "only root can become another user";
    const worker w(1);
    const child_result result = ask({"trim", std::to_string(w.pid())}, 65534);
    EXPECT_EQ(result.exit_code(), 125);
    EXPECT_NE(result.errors.find("is another user's"), std::string::npos) << result.errors;
}

// What is mounted at /dev/shm for another user's process is that user's choice.
TEST(control, root_writes_only_where_the_processs_user_may) {
    if (geteuid() != 0)
        GTEST_SKIP() << "only root can ask another user's process";
    const test::temporary_folder folder; // of root, who alone may write there
    fs::permissions(folder.path(), fs::perms(0755));
    const std::string command =
        "mount -t tmpfs t /dev && ln -s " + folder.path().string() + " /dev/shm && echo $$ && exec sleep 60";
    const std::string script =
        "setpriv --reuid 65534 --regid 65534 --clear-groups unshare -Ur -m /bin/sh -c '" + command + "' > " +
        (folder.path() / "pid").string() + " & while [ ! -s " + (folder.path() / "pid").string() +
        " ] && kill -0 $!; do sleep 0.1; done; [ -s " + (folder.path() / "pid").string() +
        " ] || exit 77; " LOWTIDE_COMMAND " trim $! --wait 1; code=$?; ls " + folder.path().string() +
        " | grep lowtide && code=1; kill $!; exit $code";
    const child_result result = child{{"/bin/sh", "-c", script}, {}, {}, "/", 0}.run();
    if (result.exit_code() == 77)
        GTEST_SKIP() << "no user namespaces here";
    EXPECT_EQ(result.exit_code(), 125) << result.output << result.errors;
    EXPECT_NE(result.errors.find("ermission denied"), std::string::npos) << result.errors;
}

/// A request that somebody writes himself. It is still there, unanswered, after the process has had time to
/// answer another one, or it has been taken away unanswered.
class forged {
public:
    forged(const worker& w, const std::string& text, mode_t mode = 0600, uid_t owner = 0)
        : path_(w.mailbox()) {
        fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        EXPECT_GE(fd_, 0);
        EXPECT_EQ(fchown(fd_, owner, owner), owner == geteuid() ? 0 : fchown(fd_, owner, owner));
        EXPECT_EQ(fchmod(fd_, mode), 0);
        EXPECT_EQ(write(fd_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
        size_ = text.size();
    }
    ~forged() {
        unlink(path_.c_str());
        close(fd_);
    }
    forged(const forged&) = delete;
    forged& operator=(const forged&) = delete;

    bool is_answered() const {
        usleep(500'000); // five times what an honest one takes
        struct stat now {};
        return fstat(fd_, &now) != 0 || static_cast<std::size_t>(now.st_size) != size_;
    }
    bool is_taken() const { return !fs::exists(path_); }

private:
    std::string path_;
    int fd_ = -1;
    std::size_t size_ = 0;
};

TEST(control, a_request_for_another_process_of_that_number_is_thrown_away) {
    const worker w(1);
    const forged request(w, "lowtide 1\n123\ntrim\n");
    while (!request.is_taken())
        usleep(10'000);
    EXPECT_FALSE(request.is_answered());
    EXPECT_EQ(trim(w).exit_code(), 0) << "the next one is heard";
}

TEST(control, broken_requests_do_no_harm) {
    worker w(2);
    for (const std::string& text : {std::string(), std::string("lowtide 1\n"), std::string(9000, 'x'),
                                    std::string("lowtide 2\n1\ntrim\n"), std::string("\n\n\n\n\n")}) {
        const forged request(w, text);
        EXPECT_FALSE(request.is_answered()) << text.substr(0, 20);
    }
    EXPECT_EQ(trim(w).exit_code(), 0);
    EXPECT_EQ(w.end(), 0);
}

// Who asks without the command may not have looked first.
TEST(control, of_a_request_that_is_partly_wrong_nothing_is_done) {
    const worker w(1);
    const std::string stat = [&] {
        std::ifstream file("/proc/" + std::to_string(w.pid()) + "/stat");
        return std::string(std::istreambuf_iterator<char>(file), {});
    }();
    std::istringstream fields(stat.substr(stat.rfind(')') + 2));
    std::string started;
    for (int number = 3; number <= 22; ++number)
        fields >> started;
    const forged request(w, "lowtide 1\n" + started + "\nset dirty_cap:0,decay:x\n");
    bool answered = false;
    for (int i = 0; i < 60 && !answered; ++i)
        answered = request.is_answered();
    EXPECT_TRUE(answered);
    EXPECT_GE(facts_of_trim(w)["returned_bytes"], 25 * MiB) << "the dirty memory is still there";
}

TEST(control, what_others_could_have_written_is_not_read) {
    const worker w(1);
    {
        const forged request(w, "lowtide 1\n123\ntrim\n", 0666);
        EXPECT_FALSE(request.is_answered());
        EXPECT_FALSE(request.is_taken());
    }
    if (geteuid() == 0) {
        const forged request(w, "lowtide 1\n123\ntrim\n", 0600, 65534);
        EXPECT_FALSE(request.is_answered());
        EXPECT_FALSE(request.is_taken());
    }
    ASSERT_EQ(symlink("/dev/zero", w.mailbox().c_str()), 0);
    usleep(300'000);
    EXPECT_TRUE(fs::is_symlink(w.mailbox()));
    unlink(w.mailbox().c_str());
    ASSERT_EQ(mkfifo(w.mailbox().c_str(), 0600), 0); // whoever opens it must not wait
    usleep(300'000);
    unlink(w.mailbox().c_str());
    EXPECT_EQ(trim(w).exit_code(), 0);
}

TEST(control, many_ask_at_once_and_each_is_answered_or_told) {
    const worker w(2);
    const std::string command = LOWTIDE_COMMAND " trim " + std::to_string(w.pid()) + " --wait 20";
    const std::string all =
        "for i in 1 2 3 4 5 6; do (" + command + "; echo $? >&3) & done 3>&1 >/dev/null 2>/dev/null; wait";
    const child_result result = child{{"/bin/sh", "-c", all}, {}, {}, "/", 0}.run();
    std::size_t answered = 0;
    for (std::size_t at = 0; (at = result.output.find('\n', at)) != std::string::npos; ++at)
        ++answered;
    EXPECT_EQ(answered, 6u) << result.output;
    EXPECT_NE(result.output.find("0\n"), std::string::npos);
    EXPECT_EQ(trim(w).exit_code(), 0);
}

} // namespace
} // namespace lowtide::tools
