// One executable file or shared library, and what its symbols and its debug information say of addresses.
#pragma once

#include "profile/debug_units.h"
#include "profile/heap_profile.h"
#include "profile/symbol_table.h"

#include <elfutils/libdwfl.h>
#include <filesystem>
#include <memory>

namespace lowtide::tools {

class debug_file {
public:
    enum class found { yes, missing, other_version };

    /// Looks at `path`, which has to be of that build id, if one is given; then at what else has the build
    /// id: below /usr/lib/debug, and at the servers of DEBUGINFOD_URLS.
    debug_file(const std::filesystem::path& path, const std::string& build_id);

    /// What is at `path`.
    found at_path() const { return at_path_; }
    bool is_usable() const { return elf_ != nullptr; }

    /// At an offset in the file: the functions, the innermost of inlined ones first. Empty if there is no
    /// symbol.
    std::vector<frame> frames_at(std::uint64_t file_offset);

private:
    struct ender {
        void operator()(Dwfl* session) const { dwfl_end(session); }
    };

    found open_path(const std::filesystem::path& path, const std::string& build_id);
    void find_by_build_id(const std::string& build_id);

    std::unique_ptr<Dwfl, ender> session_;
    Dwfl_Module* module_ = nullptr;
    Elf* elf_ = nullptr;
    GElf_Addr bias_ = 0; // of libdwfl's addresses over the file's own
    symbol_table symbols_;
    debug_units units_;
    found at_path_ = found::missing;
};

} // namespace lowtide::tools
