// A request to a process, by a file in its mailbox, and its answer: see src/entry/mailbox.h.
#pragma once

#include "asked_process.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lowtide::tools {

constexpr std::string_view answer_greeting = "answer\n";

/// As root: does the rest with the rights of the process's user. What the folder really is is that user's
/// choice, by a mount or a link, and root would write where he may not.
void give_up_rights(const asked_process& of);

/// The same, but for as long as it lives.
class borrowed_rights {
public:
    explicit borrowed_rights(const asked_process& of);
    ~borrowed_rights();
    borrowed_rights(const borrowed_rights&) = delete;
    borrowed_rights& operator=(const borrowed_rights&) = delete;

private:
    bool borrowed_;
};

/// The request, in the process's mailbox until it has been taken or this object ends.
class letter {
public:
    letter(const asked_process& to, const std::string& request);
    ~letter();
    letter(const letter&) = delete;
    letter& operator=(const letter&) = delete;

    /// The answer, once it is complete.
    std::optional<std::string> answer() const;
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
answer understand(const std::string& text);

} // namespace lowtide::tools
