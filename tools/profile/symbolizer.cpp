// See symbolizer.h.
#include "profile/symbolizer.h"

#include "profile/debug_file.h"
#include "tools/progress.h"

#include <cstdlib>
#include <fmt/format.h>
#include <map>
#include <tuple>
#include <unistd.h>

namespace lowtide::tools {

namespace fs = std::filesystem;

namespace {

using file_key = std::tuple<std::string, std::string>;          // path, build id
using places_in_file = std::multimap<std::uint64_t, location*>; // by offset

/// As /proc/PID/maps marks a file that was removed or replaced. What is there now may still be the same, if
/// that can be told.
fs::path path_of(std::string_view mapped, const std::string& build_id) {
    constexpr std::string_view deleted = " (deleted)";
    if (mapped.ends_with(deleted) && !build_id.empty())
        mapped.remove_suffix(deleted.size());
    return fs::path(mapped);
}

void tell_what_is_missing(progress& shown, const debug_file& file, const fs::path& path) {
    if (file.is_usable())
        return;
    if (file.at_path() == debug_file::found::other_version)
        shown.say(fmt::format("lowtide: {} is another version now (its build id differs): no names for it",
                              path.string()));
    else
        shown.say(
            fmt::format("lowtide: {} is no program or library, or not here: no names for it", path.string()));
}

} // namespace

void symbolize(heap_profile& profile, const fs::path& root) {
    std::map<file_key, places_in_file> files;
    std::size_t count = 0;
    for (location& each : profile.locations) {
        const mapping* in = each.frames.empty() ? profile.mapping_of(each) : nullptr;
        if (in == nullptr || !in->path.starts_with('/')) // the kernel's own, say
            continue;
        files[{in->path, in->build_id}].emplace(each.call_address() - in->start + in->offset, &each);
        ++count;
    }
    if (isatty(STDERR_FILENO) != 0)
        setenv("DEBUGINFOD_PROGRESS", "1", 0); // a download can take minutes
    progress shown("address", count);
    for (const auto& [key, places] : files) {
        const auto& [mapped, build_id] = key;
        const fs::path path = path_of(mapped, build_id);
        debug_file file(root / path.relative_path(), build_id);
        tell_what_is_missing(shown, file, path);
        for (const auto& [offset, place] : places) {
            shown.next(path.filename());
            if (file.is_usable())
                place->frames = file.frames_at(offset);
        }
    }
}

} // namespace lowtide::tools
