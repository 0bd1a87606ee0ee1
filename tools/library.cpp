// Finding liblowtide.so: see library.h.
#include "library.h"

#include "errors.h"

#include <cstdlib>
#include <fmt/format.h>
#include <sys/auxv.h>

namespace lowtide::tools {

namespace {

namespace fs = std::filesystem;

fs::path own_executable() {
    std::error_code error;
    if (fs::path path = fs::read_symlink("/proc/self/exe", error); !error)
        return path;
    // Without /proc: the path as the kernel was given it.
    const auto* started_as = reinterpret_cast<const char*>(getauxval(AT_EXECFN));
    return started_as != nullptr ? fs::canonical(started_as, error) : fs::path();
}

} // namespace

fs::path find_library() {
    constexpr const char* file = "liblowtide.so";
    std::error_code error;
    if (const char* chosen = std::getenv("LOWTIDE_LIB"); chosen != nullptr && *chosen != '\0') {
        if (!fs::is_regular_file(chosen, error))
            throw user_error(fmt::format("LOWTIDE_LIB is {}, and there is no such file", chosen));
        return fs::absolute(chosen);
    }
    const fs::path beside = own_executable().parent_path().parent_path() / "lib" / file;
    for (const fs::path& candidate : {beside, fs::path(LOWTIDE_LIBDIR) / file})
        if (fs::is_regular_file(candidate, error))
            return candidate;
    throw user_error(fmt::format("{} is neither at {} nor in {}; LOWTIDE_LIB can say where it is", file,
                                 beside.string(), LOWTIDE_LIBDIR));
}

} // namespace lowtide::tools
