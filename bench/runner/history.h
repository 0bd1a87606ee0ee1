// A file with one line of JSON for each session: what each workload came to, so that the next session can say
// what has become worse or better since.
#pragma once

#include "runner/results.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lowtide::bench {

/// One figure that is not what it was.
struct change {
    std::string workload;
    std::string allocator;
    const metric* what;
    double before; // ratios to the best of the others
    double now;
};

/// What has changed since an earlier session.
struct comparison {
    std::string since; // its date
    std::vector<change> changes;
};

class history {
public:
    /// Reads the file; one that is not there is an empty history. Throws usage_error if it cannot be read or
    /// a line is not a session's.
    explicit history(std::filesystem::path file);
    ~history();
    history(const history&) = delete;
    history& operator=(const history&) = delete;

    /// Compares with the last session on a machine of the same kind, with as much work and the same
    /// allocators; nothing if there is none. A change is what exceeds both a tenth and three times the noise
    /// of the two sessions; the greatest first.
    std::optional<comparison> compare(const results& measured) const;

    /// Writes the session behind the others. Throws std::runtime_error if that fails.
    void append(const results& measured) const;

private:
    struct sessions;

    std::filesystem::path file_;
    std::unique_ptr<sessions> sessions_;
};

} // namespace lowtide::bench
