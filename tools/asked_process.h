// A running process that the command asks something: what /proc says of it, and where it looks for its mail
// (src/entry/mailbox.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <sys/types.h>

namespace lowtide::tools {

class asked_process {
public:
    /// Throws user_error where there is none, or it is another user's.
    explicit asked_process(int id);

    /// The folder where it looks for its mail, opened; it may be in a container. What is a symbolic link
    /// there must not lead out of it: the folder would be ours, and we may be root.
    int open_mailbox_folder() const;
    std::string mailbox_name() const;
    const std::string& start_time() const { return start_time_; }
    uid_t user() const { return user_; }
    gid_t group() const { return group_; }

    std::uint64_t resident_bytes() const;
    bool has_ended() const;

    /// Wakes it where it sleeps on the file that its allocator was mapped from (src/os/summons.h): the
    /// library, or the program that it is linked into. Others that sleep there look for mail, too.
    void summon() const;

    /// Most likely, why it hasn't answered.
    std::string silence() const;

private:
    static constexpr int state_field = 3;
    static constexpr int start_time_field = 22;

    std::string field_of_stat(int wanted) const;

    int id_;
    std::filesystem::path folder_;
    uid_t user_ = static_cast<uid_t>(-1);
    gid_t group_ = static_cast<gid_t>(-1);
    int inner_id_ = 0;
    int threads_ = 1;
    std::string start_time_;
};

} // namespace lowtide::tools
