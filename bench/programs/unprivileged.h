// Servers that refuse to be root, or would become another user by themselves: as root, they run as nobody.
#pragma once

#include "programs/programs.h"

namespace lowtide::bench {

class unprivileged {
public:
    /// The same, to be run as that user. This object must outlive it.
    launch own(launch what) const;

    /// Makes the user the directory's owner. Throws std::system_error.
    void give(const std::filesystem::path& directory) const;

private:
    static std::optional<account> find();

    std::optional<account> user_ = find(); // nothing if we are not root
};

} // namespace lowtide::bench
