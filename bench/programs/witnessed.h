// A run of a real program on an allocator, with the witness in each of its processes.
#pragma once

#include "programs/programs.h"

#include <string>

namespace lowtide::bench {

class witnessed {
public:
    witnessed(const allocator& allocator, const program_settings& settings);

    /// A directory for what the run needs, removed with this object.
    const std::filesystem::path& directory() const { return files_.path(); }

    /// The program, ready to be started on the allocator.
    launch prepare(std::vector<std::string> words) const;

    /// After the end of the run. Throws run_failed unless every process of it had its malloc from the
    /// allocator and processes of this name were among them. Of those: the greatest peak RSS, and all page
    /// faults together.
    measurement account_for(const std::string& program, double ns_per_operation, const rusage& usage) const;

    /// Runs what was prepared under perf, and accounts for it.
    call profile(const std::string& program, const launch& what, const profiler& perf, seconds limit) const;

private:
    const allocator& allocator_;
    scratch files_;
    std::filesystem::path record_;
    std::filesystem::path witness_;
};

/// Of what a program wrote: FNV-1a.
std::string checksum_of(const std::string& text);

} // namespace lowtide::bench
