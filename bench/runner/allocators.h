// The allocators that are compared, and the proof that one is really loaded.
#pragma once

#include "runner/process.h"
#include "runner/scratch.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace lowtide::bench {

struct allocator {
    std::string name{};
    std::filesystem::path file{};   // the library as the user knows it
    std::filesystem::path loaded{}; // the copy that is preloaded; for libc's own malloc, libc itself
    std::string version{};          // of the Debian package, if it comes from one
    bool is_libc = false;
    std::map<std::string, std::string> variables{}; // that its processes get besides

    /// What makes a program's malloc this one.
    std::map<std::string, std::string> environment() const;
};

/// What was asked for on the command line.
struct allocator_request {
    std::vector<std::string> added;     // NAME=PATH.so
    std::vector<std::string> without;   // NAME
    std::vector<std::string> variables; // NAME:VARIABLE=VALUE
};

/// Which object files a process got malloc and free from.
struct identity {
    std::string malloc;
    std::string free;
};

class allocator_list {
public:
    /// Finds lowtide beside the executable, glibc's own malloc and Debian's peers. `workloads` is the program
    /// that can say where its malloc comes from. Each library is copied into `where`: a server that drops its
    /// privileges must be able to read it, and ld.so would split its path at blanks. Throws usage_error if a
    /// library is missing, or does not turn out to be where malloc comes from, or if a request names none.
    allocator_list(const allocator_request& request, const std::filesystem::path& workloads,
                   const std::filesystem::path& lowtide, const supervisor& processes, scratch& where);

    const std::vector<allocator>& all() const { return all_; }
    /// Peers that are not installed, each with its Debian package: worth a word to the user.
    const std::vector<std::string>& missing() const { return missing_; }

private:
    std::vector<allocator> all_;
    std::vector<std::string> missing_;
};

/// Throws run_failed unless both come from the allocator's file.
void verify(const allocator& expected, const identity& found);

} // namespace lowtide::bench
