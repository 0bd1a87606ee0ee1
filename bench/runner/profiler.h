// Runs a program under perf(1).
#pragma once

#include "runner/allocators.h"
#include "runner/profile.h"

namespace lowtide::bench {

/// How often to look, and how much of the stack to keep each time: callers are found later, in the copy.
struct sampling {
    unsigned per_second;
    unsigned stack_bytes;
};

class profiler {
public:
    /// Throws usage_error if perf is not installed, or may not record.
    explicit profiler(const supervisor& processes);

    /// Without the right to, perf leaves out what the kernel does for the program.
    bool sees_kernel() const;

    struct recording {
        ended end; // the program's, with what it wrote
        call calls;
    };

    /// Throws run_failed if it takes too long, or if perf cannot read what it recorded.
    recording record(const launch& what, const allocator& on, sampling how, seconds limit) const;

private:
    launch perf(std::vector<std::string> words) const;

    const supervisor& processes_;
    scratch files_;
    std::filesystem::path program_;
};

} // namespace lowtide::bench
