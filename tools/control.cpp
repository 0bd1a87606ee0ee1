// Asking a running process: see control.h.
#include "control.h"

#include "base/options.h"
#include "entry/mailbox.h"
#include "errors.h"
#include "in_units.h"
#include "text_file.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <grp.h>
#include <limits>
#include <linux/futex.h>
#include <linux/openat2.h>
#include <nlohmann/json.hpp>
#include <sstream>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

namespace lowtide::tools {

namespace {

namespace fs = std::filesystem;

std::string reason(int error) {
    return std::generic_category().message(error);
}

constexpr std::string_view answer_greeting = "answer\n";

/// What /proc says of the process that is to be asked.
class process {
public:
    explicit process(int id) : id_(id), folder_("/proc/" + std::to_string(id)) {
        std::istringstream status(text_of(folder_ / "status").value_or(""));
        if (status.str().empty())
            throw user_error(fmt::format("there is no process {}", id));
        for (std::string line; std::getline(status, line);) {
            std::istringstream words(line);
            std::string key;
            words >> key;
            if (key == "Uid:")
                words >> user_ >> user_; // real, effective
            else if (key == "Gid:")
                words >> group_ >> group_;
            else if (key == "NSpid:")
                while (words >> inner_id_) {
                }
            else if (key == "Threads:")
                words >> threads_;
        }
        if (geteuid() != 0 && geteuid() != user_)
            throw user_error(fmt::format("process {} is another user's", id));
        start_time_ = field_of_stat(start_time_field);
    }

    /// The folder where it looks for its mail, opened; it may be in a container. What is a symbolic link
    /// there must not lead out of it: the folder would be ours, and we may be root.
    int open_mailbox_folder() const {
        const int root = open((folder_ / "root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
        open_how how{};
        how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
        how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
        const fs::path inside = fs::path(mailbox_prefix).parent_path();
        const long folder =
            root < 0 ? -1 : syscall(SYS_openat2, root, inside.relative_path().c_str(), &how, sizeof(how));
        const int error = errno;
        if (root >= 0)
            close(root);
        if (folder < 0)
            throw user_error(
                fmt::format("{} of process {} can't be opened: {}", inside.string(), id_, reason(error)));
        return static_cast<int>(folder);
    }
    std::string mailbox_name() const {
        return fs::path(mailbox_prefix).filename().string() + std::to_string(inner_id_);
    }
    const std::string& start_time() const { return start_time_; }
    uid_t user() const { return user_; }
    gid_t group() const { return group_; }

    std::uint64_t resident_bytes() const {
        std::istringstream pages(text_of(folder_ / "statm").value_or("0 0"));
        std::uint64_t all = 0;
        std::uint64_t resident = 0;
        pages >> all >> resident;
        return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    }

    bool has_ended() const {
        return field_of_stat(start_time_field) != start_time_ || field_of_stat(state_field) == "Z";
    }

    /// Wakes it where it sleeps on the file that its allocator was mapped from (src/os/summons.h): the
    /// library, or the program that it is linked into. Others that sleep there look for mail, too.
    void summon() const {
        std::vector<fs::path> files{folder_ / "exe"};
        std::istringstream maps(text_of(folder_ / "maps").value_or(""));
        for (std::string line; std::getline(maps, line);) {
            const std::size_t path = line.find('/');
            if (path == line.npos || line.find("lowtide", line.rfind('/')) == line.npos)
                continue;
            fs::path inside = (folder_ / "root").string() + line.substr(path);
            if (files.back() != inside)
                files.push_back(std::move(inside));
        }
        for (const fs::path& file : files)
            wake_on(file);
    }

    /// Most likely, why it hasn't answered.
    std::string silence() const {
        if (field_of_stat(start_time_field) != start_time_)
            return fmt::format("process {} has ended", id_);
        const std::string state = field_of_stat(state_field);
        if (state == "Z")
            return fmt::format("process {} has ended; its parent hasn't asked for its status yet", id_);
        if (state == "T" || state == "t")
            return fmt::format("process {} is stopped", id_);
        const auto maps = text_of(folder_ / "maps");
        if (maps && maps->find("liblowtide") == maps->npos)
            return fmt::format(
                "process {} does not answer: it has not loaded liblowtide.so, nor, perhaps, been "
                "linked with it",
                id_);
        if (threads_ > 1)
            return fmt::format(
                "process {} does not answer: it doesn't run on Lowtide, or with control:false or set-user-ID "
                "rights; or it is idle and the system older than Linux 5.16",
                id_);
        return fmt::format(
            "process {} does not answer: with one thread it hears at its next slow call to the "
            "allocator (background:always does without); or it doesn't run on Lowtide, or with "
            "control:false or set-user-ID rights",
            id_);
    }

private:
    static void wake_on(const fs::path& file) {
        const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0)
            return;
        struct stat status {};
        const bool regular = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size != 0;
        void* word = regular ? mmap(nullptr, 1, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
        close(fd);
        if (word == MAP_FAILED)
            return;
        syscall(SYS_futex, word, FUTEX_WAKE, std::numeric_limits<int>::max(), nullptr, nullptr, 0);
        munmap(word, 1);
    }

    static constexpr int state_field = 3;
    static constexpr int start_time_field = 22;

    /// The second field may have anything in it, up to the last bracket.
    std::string field_of_stat(int wanted) const {
        const std::string stat = text_of(folder_ / "stat").value_or("");
        std::istringstream fields(stat.substr(std::min(stat.rfind(')'), stat.size() - 1) + 1));
        std::string field;
        for (int number = state_field; number <= wanted; ++number)
            fields >> field;
        return field;
    }

    int id_;
    fs::path folder_;
    uid_t user_ = static_cast<uid_t>(-1);
    gid_t group_ = static_cast<gid_t>(-1);
    int inner_id_ = 0;
    int threads_ = 1;
    std::string start_time_;
};

/// As root: does the rest with the rights of the process's user. What the folder really is is that user's
/// choice, by a mount or a link, and root would write where he may not.
void give_up_rights(const process& of) {
    if (geteuid() != 0 || of.user() == 0)
        return;
    if (setgroups(0, nullptr) != 0 || setresgid(of.group(), of.group(), of.group()) != 0 ||
        setresuid(of.user(), of.user(), of.user()) != 0)
        throw user_error(fmt::format("cannot act as the process's user: {}", reason(errno)));
}

/// The same, but for as long as it lives.
class borrowed_rights {
public:
    explicit borrowed_rights(const process& of) : borrowed_(geteuid() == 0 && of.user() != 0) {
        if (borrowed_ && (setegid(of.group()) != 0 || seteuid(of.user()) != 0))
            throw user_error(fmt::format("cannot act as the process's user: {}", reason(errno)));
    }
    ~borrowed_rights() {
        if (borrowed_ && (seteuid(0) != 0 || setegid(0) != 0))
            std::abort(); // root can
    }
    borrowed_rights(const borrowed_rights&) = delete;
    borrowed_rights& operator=(const borrowed_rights&) = delete;

private:
    bool borrowed_;
};

/// The request, in the process's mailbox until it has been taken or this object ends.
class letter {
public:
    letter(const process& to, const std::string& request)
        : folder_(to.open_mailbox_folder()), name_(to.mailbox_name()) {
        const std::string draft = fmt::format("{}.{}", name_, getpid());
        fd_ = openat(folder_, draft.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        const std::string text = fmt::format("{}\n{}\n{}\n", mailbox_greeting, to.start_time(), request);
        size_ = text.size();
        int error = fd_ < 0 ? errno : 0;
        if (error == 0 && write(fd_, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
            error = errno;
        if (error == 0 && renameat2(folder_, draft.c_str(), folder_, name_.c_str(), RENAME_NOREPLACE) != 0)
            error = errno;
        if (error == 0)
            return;
        if (fd_ >= 0) {
            unlinkat(folder_, draft.c_str(), 0);
            ::close(fd_);
        }
        ::close(folder_);
        const std::string file = std::string(mailbox_prefix) + name_.substr(name_.rfind('.') + 1);
        throw user_error(error == EEXIST
                             ? fmt::format("somebody else is asking this process; if not, remove {}", file)
                             : fmt::format("{}: {}", file, reason(error)));
    }
    ~letter() {
        struct stat here {};
        struct stat ours {};
        if (fstat(fd_, &ours) == 0 && fstatat(folder_, name_.c_str(), &here, AT_SYMLINK_NOFOLLOW) == 0 &&
            here.st_ino == ours.st_ino && here.st_dev == ours.st_dev)
            unlinkat(folder_, name_.c_str(), 0);
        ::close(fd_);
        ::close(folder_);
    }
    letter(const letter&) = delete;
    letter& operator=(const letter&) = delete;

    /// The answer, once it is complete.
    std::optional<std::string> answer() const {
        struct stat now {};
        if (fstat(fd_, &now) != 0 || static_cast<std::size_t>(now.st_size) <= size_)
            return std::nullopt;
        std::string text(static_cast<std::size_t>(now.st_size) - size_, '\0');
        const ssize_t got = pread(fd_, text.data(), text.size(), static_cast<off_t>(size_));
        text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        text.resize(std::min(text.find('\0'), text.size())); // a page of counters may be behind it
        return text.starts_with(answer_greeting) && text.ends_with("\nend\n") ? std::optional(text)
                                                                              : std::nullopt;
    }

    int file() const { return fd_; }

private:
    int folder_ = -1;
    std::string name_;
    int fd_ = -1;
    std::size_t size_ = 0;
};

struct answer {
    std::uint64_t returned = 0;
    std::uint64_t held = 0;
    std::vector<std::string> refused;
};

answer understand(const std::string& text) {
    answer result;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const std::size_t space = std::min(line.find(' '), line.size());
        const std::string key = line.substr(0, space);
        const std::string value = line.substr(std::min(space + 1, line.size()));
        if (key == "returned")
            result.returned = to_number(value).value_or(0);
        else if (key == "held")
            result.held = to_number(value).value_or(0);
        else if (key == "refused")
            result.refused.push_back(value);
    }
    return result;
}

volatile std::sig_atomic_t interrupted = 0;

/// As long as it exists, the signals that would end the command are only noted: a request has to be
/// withdrawn.
class noted_signals {
public:
    noted_signals() {
        set([](int which) { interrupted = which; });
    }
    ~noted_signals() { set(SIG_DFL); }
    noted_signals(const noted_signals&) = delete;
    noted_signals& operator=(const noted_signals&) = delete;

private:
    static void set(void (*action)(int)) {
        for (const int each : {SIGINT, SIGTERM, SIGHUP})
            std::signal(each, action);
    }
};

/// The answer as the process wrote it.
std::string ask(const process& of, const std::string& request, double seconds) {
    using clock = std::chrono::steady_clock;
    const noted_signals noted;
    give_up_rights(of);
    const letter sent(of, request);
    of.summon();
    const auto until = clock::now() + std::chrono::duration<double>(seconds);
    do {
        if (const auto text = sent.answer())
            return *text;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    } while (clock::now() < until && interrupted == 0 && !of.has_ended());
    if (const auto text = sent.answer())
        return *text;
    throw user_error(interrupted != 0 ? "interrupted; the request is withdrawn" : of.silence());
}

/// What can't be set is said before anything is asked.
void check_options(const std::string& entries) {
    std::vector<std::string> problems;
    options scratch;
    scratch.parse(entries, option_source::command,
                  {[](void* into, std::string_view line) noexcept {
                       static_cast<std::vector<std::string>*>(into)->emplace_back(line);
                   },
                   &problems});
    for (std::string& line : problems) {
        if (line.starts_with("lowtide: "))
            line.erase(0, std::string_view("lowtide: ").size());
        line.resize(std::min(line.rfind("; using "), line.size())); // as if it were set at the start
    }
    if (problems.empty() && std::ranges::count(scratch.sources, option_source::command) == 0)
        throw user_error("set: no option is given");
    if (!problems.empty())
        throw user_error(fmt::format("{}; nothing was set", fmt::join(problems, "; ")));
    if (entries.find('\n') != entries.npos || entries.size() > max_mail / 2)
        throw user_error("the options have to be on one line, and fewer; nothing was set");
}

/// Why the process has refused what only some versions know, if it has.
std::optional<std::string> refusal_of(int id, const std::string& text, const std::string& what) {
    const answer got = understand(text);
    if (got.refused.empty())
        return std::nullopt;
    const std::string& why = got.refused.front();
    if (why.starts_with(what + ": "))
        return why.substr(what.size() + 2);
    throw user_error(fmt::format("process {} is on a version of Lowtide that has no {}s", id, what));
}

} // namespace

void control(const control_request& request) {
    if (!request.options.empty())
        check_options(request.options);
    const process asked(request.process);
    const std::uint64_t before = asked.resident_bytes();
    const answer got =
        understand(ask(asked, request.options.empty() ? "trim" : "set " + request.options, request.wait));
    const std::uint64_t after = asked.resident_bytes();
    if (!got.refused.empty())
        throw user_error(fmt::format("process {}: {}", request.process, fmt::join(got.refused, "; ")));
    if (request.json) {
        const nlohmann::ordered_json facts = {{"process", request.process},
                                              {"returned_bytes", got.returned},
                                              {"held_bytes", got.held},
                                              {"resident_bytes_before", before},
                                              {"resident_bytes", after}};
        fmt::print("{}\n", facts.dump(2));
        return;
    }
    fmt::print("process {}: {} returned; {} resident, {} before\n", request.process, in_units(got.returned),
               in_units(after), in_units(before));
}

std::string ask_for_profile(int id, double wait) {
    std::string text = ask(process(id), "profile", wait);
    const std::optional<std::string> refusal = refusal_of(id, text, "profile");
    if (!refusal)
        return text.erase(0, answer_greeting.size());
    throw user_error(fmt::format("process {}: {}; `lowtide set {} sample:512K` switches sampling on, and so "
                                 "does LOWTIDE_CONF=sample:512K at the start",
                                 id, *refusal, id));
}

std::string ask_for_account(int id, const std::string& format, double wait) {
    std::string text = ask(process(id), "account " + format, wait);
    if (const auto refusal = refusal_of(id, text, "account"))
        throw user_error(fmt::format("process {}: {}", id, *refusal));
    text.erase(0, answer_greeting.size());
    text.resize(text.size() - std::string_view("end\n").size());
    return text;
}

// ---- the live view

struct live_view::state {
    explicit state(int id) : of(id) {}
    ~state() {
        // Taken back by the user who sent it.
        try {
            const borrowed_rights rights(of);
            sent.reset();
        } catch (const user_error&) {
        }
        unmap();
    }

    void ask() {
        const borrowed_rights rights(of);
        sent.reset();
        sent.emplace(of, fmt::format("watch {}", seconds_asked_for));
        of.summon();
        asked_at = clock::now();
    }
    void unmap() {
        if (page != nullptr)
            munmap(const_cast<live_page*>(page), sizeof(live_page));
        page = nullptr;
    }
    /// Once the answer is there.
    void take_page() {
        if (!sent)
            return;
        const std::optional<std::string> answer = sent->answer();
        if (!answer)
            return;
        struct stat file {};
        void* at = MAP_FAILED;
        if (understand(*answer).refused.empty() && fstat(sent->file(), &file) == 0 &&
            static_cast<std::size_t>(file.st_size) >= live_page_offset + sizeof(live_page))
            at = mmap(nullptr, sizeof(live_page), PROT_READ, MAP_SHARED, sent->file(), live_page_offset);
        sent.reset();
        if (at == MAP_FAILED) {
            refused = "it is on a version of Lowtide that has no live view";
            return;
        }
        unmap();
        page = static_cast<const live_page*>(at);
        if (page->magic != live_page_magic || page->version != live_page_version ||
            page->bytes < sizeof(live_page)) {
            refused =
                fmt::format("its live view is of version {}, which this command doesn't know", page->version);
            unmap();
        }
    }

    using clock = std::chrono::steady_clock;
    static constexpr int seconds_asked_for = 20;
    static constexpr std::chrono::seconds renewed_after{12};

    process of;
    std::optional<letter> sent;
    const live_page* page = nullptr;
    clock::time_point asked_at;
    std::string refused;
};

live_view::live_view(int id) : state_(std::make_unique<state>(id)) {
    state_->ask();
}

live_view::~live_view() = default;

std::optional<live_counters> live_view::read() {
    state_->take_page();
    if (!state_->sent && state_->refused.empty() &&
        state::clock::now() - state_->asked_at > state::renewed_after)
        try {
            state_->ask();
        } catch (const user_error&) { // somebody else is asking: another time
        }
    live_counters now;
    for (int attempt = 0; state_->page != nullptr && attempt < 1000; ++attempt)
        if (read_live(*state_->page, now))
            return now;
    return std::nullopt;
}

bool live_view::has_ended() const {
    return state_->of.has_ended();
}

std::string live_view::silence() const {
    return state_->refused.empty() ? state_->of.silence() : state_->refused;
}

} // namespace lowtide::tools
