// What is written when the process ends: the report, the heap profile, the leaks; each where a variable of
// the environment says, NAME=<pid>:<path>, "-" for standard error. `lowtide run` sets them.
#pragma once

#include <cstddef>
#include <string_view>

namespace lowtide {

constexpr std::string_view report_variable = "LOWTIDE_REPORT";
constexpr std::string_view profile_variable = "LOWTIDE_PROFILE";
constexpr std::string_view leaks_variable = "LOWTIDE_LEAKS";   // standard error where it isn't set
constexpr std::string_view viewer_variable = "LOWTIDE_VIEWER"; // the command that can show them

struct destination {
    char path[4096]; // empty: it isn't wanted
};

struct destinations {
    destination report;
    destination profile;
    destination leaks;
    destination viewer;
    // Children that this process forks have the paths too, but not the number. 0: nothing is wanted.
    size_t process;
};
extern constinit destinations at_exit;

// Is `text` the decimal number of this process?
[[nodiscard, gnu::cold]] bool is_own_number(std::string_view text) noexcept;

// `to` is one of the above; a value of another process is none.
[[gnu::cold]] void remember_destination(void* to, std::string_view value) noexcept;
// The two about leaks.
[[gnu::cold]] void remember_leaks() noexcept;

[[gnu::cold]] void write_at_exit() noexcept;
// Where the option says so; may end the process, with another code.
[[gnu::cold]] void report_leaks() noexcept;

} // namespace lowtide
