// See letter.h.
#include "letter.h"

#include "entry/mailbox.h"
#include "errors.h"
#include "text_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sstream>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace lowtide::tools {

static std::string message_of(int error) {
    return std::generic_category().message(error);
}

void give_up_rights(const asked_process& of) {
    if (geteuid() != 0 || of.user() == 0)
        return;
    if (setgroups(0, nullptr) != 0 || setresgid(of.group(), of.group(), of.group()) != 0 ||
        setresuid(of.user(), of.user(), of.user()) != 0)
        throw user_error(fmt::format("cannot act as the process's user: {}", message_of(errno)));
}

borrowed_rights::borrowed_rights(const asked_process& of) : borrowed_(geteuid() == 0 && of.user() != 0) {
    if (borrowed_ && (setegid(of.group()) != 0 || seteuid(of.user()) != 0))
        throw user_error(fmt::format("cannot act as the process's user: {}", message_of(errno)));
}

borrowed_rights::~borrowed_rights() {
    if (borrowed_ && (seteuid(0) != 0 || setegid(0) != 0))
        std::abort(); // root can
}

letter::letter(const asked_process& to, const std::string& request)
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
                         : fmt::format("{}: {}", file, message_of(error)));
}

letter::~letter() {
    struct stat here {};
    struct stat ours {};
    if (fstat(fd_, &ours) == 0 && fstatat(folder_, name_.c_str(), &here, AT_SYMLINK_NOFOLLOW) == 0 &&
        here.st_ino == ours.st_ino && here.st_dev == ours.st_dev)
        unlinkat(folder_, name_.c_str(), 0);
    ::close(fd_);
    ::close(folder_);
}

std::optional<std::string> letter::answer() const {
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

} // namespace lowtide::tools
