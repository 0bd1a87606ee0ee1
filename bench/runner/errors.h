// The ways in which a benchmark does not come to its result.
#pragma once

#include <stdexcept>

namespace lowtide::bench {

/// The user asked for something that cannot be done; nothing was measured.
struct usage_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// One run of one workload on one allocator failed; the others go on.
struct run_failed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// SIGINT, SIGTERM or SIGHUP came.
struct interrupted : std::runtime_error {
    interrupted() : std::runtime_error("interrupted") {}
};

} // namespace lowtide::bench
