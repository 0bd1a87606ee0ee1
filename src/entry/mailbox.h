// How `lowtide trim PID` and `lowtide set PID key:value` reach a running process: by a file that the command
// puts into /dev/shm, as that looks from within the process, under a name that has the process's id. The
// process looks for it every 100 ms while it works: its background thread, or, where there is none, its slow
// calls; when it is idle, once it is woken (os/summons.h). Nothing is open, listens or exists until somebody
// asks. It answers into the file.
//
// A request:                      An answer, behind it:
//     lowtide 1                       answer
//     START_TIME                      returned BYTES
//     trim                            held BYTES
// or  set KEY:VALUE,...               refused WHY        (a line for each entry that can't be used)
// or  profile                         end
// or  account json
// or  account openmetrics
// or  watch SECONDS
//
// To `profile` the answer is the profile itself (observe/profile.h), which ends with `end`, too; to `account`
// it is that, in lines, in front of `end`. Behind the answer to `watch` there is a page of counters for so
// long (observe/live_page.h).
//
// It counts only if it is a file of the process's own user, or of root, that nobody else can write, and the
// start time (field 22 of /proc/PID/stat) is this process's: a file that was left behind mustn't hit another
// one. The process takes it away before it does what is asked, so that it is done once. Not under AT_SECURE.
//
// The command (tools/control.cpp) shares this description.
#pragma once

#include "base/print.h"

#include <cstddef>
#include <string_view>

namespace lowtide {

constexpr std::string_view mailbox_prefix = "/dev/shm/lowtide.";
constexpr std::string_view mailbox_greeting = "lowtide 1";
constexpr std::size_t max_mail = 8192;

class mailbox {
public:
    constexpr mailbox() = default;

    // Called once, at the start. Before, and where `open` is false, there is never any mail.
    void start(bool open) noexcept { open_ = open; }

    // A system call or two.
    [[nodiscard, gnu::cold]] bool has_mail() const noexcept;

    // What is asked: "trim", "set ...". Empty: it isn't for us. Otherwise it has to be closed.
    struct letter {
        int fd = -1;
        std::string_view request; // in `text`
    };
    [[nodiscard, gnu::cold]] letter take(char (&text)[max_mail]) const noexcept;
    // Once the answer is in the letter's file.
    [[gnu::cold]] static void close(const letter& l) noexcept;

private:
    bool open_ = false;
};

} // namespace lowtide
