// See unprivileged.h.
#include "programs/unprivileged.h"

#include <cerrno>
#include <pwd.h>
#include <system_error>
#include <unistd.h>

namespace lowtide::bench {

launch unprivileged::own(launch what) const {
    what.run_as = user_ ? &*user_ : nullptr;
    return what;
}

void unprivileged::give(const std::filesystem::path& directory) const {
    if (user_ && chown(directory.c_str(), user_->user, user_->group) != 0)
        throw std::system_error(errno, std::generic_category(), "chown " + directory.string());
}

std::optional<account> unprivileged::find() {
    const passwd* const entry = geteuid() == 0 ? getpwnam("nobody") : nullptr;
    return entry == nullptr ? std::nullopt : std::optional(account{entry->pw_uid, entry->pw_gid});
}

} // namespace lowtide::bench
