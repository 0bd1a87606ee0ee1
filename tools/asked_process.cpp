// See asked_process.h.
#include "asked_process.h"

#include "entry/mailbox.h"
#include "errors.h"
#include "text_file.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <limits>
#include <linux/futex.h>
#include <linux/openat2.h>
#include <sstream>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace lowtide::tools {

namespace fs = std::filesystem;

namespace {

void wake_on(const fs::path& file) {
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

} // namespace

asked_process::asked_process(int id) : id_(id), folder_("/proc/" + std::to_string(id)) {
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

int asked_process::open_mailbox_folder() const {
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
        throw user_error(fmt::format("{} of process {} can't be opened: {}", inside.string(), id_,
                                     std::generic_category().message(error)));
    return static_cast<int>(folder);
}

std::string asked_process::mailbox_name() const {
    return fs::path(mailbox_prefix).filename().string() + std::to_string(inner_id_);
}

std::uint64_t asked_process::resident_bytes() const {
    std::istringstream pages(text_of(folder_ / "statm").value_or("0 0"));
    std::uint64_t all = 0;
    std::uint64_t resident = 0;
    pages >> all >> resident;
    return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

bool asked_process::has_ended() const {
    return field_of_stat(start_time_field) != start_time_ || field_of_stat(state_field) == "Z";
}

void asked_process::summon() const {
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

std::string asked_process::silence() const {
    if (field_of_stat(start_time_field) != start_time_)
        return fmt::format("process {} has ended", id_);
    const std::string state = field_of_stat(state_field);
    if (state == "Z")
        return fmt::format("process {} has ended; its parent hasn't asked for its status yet", id_);
    if (state == "T" || state == "t")
        return fmt::format("process {} is stopped", id_);
    const auto maps = text_of(folder_ / "maps");
    if (maps && maps->find("liblowtide") == maps->npos)
        return fmt::format("process {} does not answer: it has not loaded liblowtide.so, nor, perhaps, been "
                           "linked with it",
                           id_);
    if (threads_ > 1)
        return fmt::format(
            "process {} does not answer: it doesn't run on Lowtide, or with control:false or set-user-ID "
            "rights; or it is idle and the system older than Linux 5.16",
            id_);
    return fmt::format("process {} does not answer: with one thread it hears at its next slow call to the "
                       "allocator (background:always does without); or it doesn't run on Lowtide, or with "
                       "control:false or set-user-ID rights",
                       id_);
}

/// The second field may have anything in it, up to the last bracket.
std::string asked_process::field_of_stat(int wanted) const {
    const std::string stat = text_of(folder_ / "stat").value_or("");
    std::istringstream fields(stat.substr(std::min(stat.rfind(')'), stat.size() - 1) + 1));
    std::string field;
    for (int number = state_field; number <= wanted; ++number)
        fields >> field;
    return field;
}

} // namespace lowtide::tools
