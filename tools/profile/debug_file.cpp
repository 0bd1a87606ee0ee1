// See debug_file.h.
#include "profile/debug_file.h"

#include "profile/names.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

namespace lowtide::tools {

namespace fs = std::filesystem;

namespace {

/// Those of libdwfl itself. The second ones look for the file by its build id as well.
const Dwfl_Callbacks by_path = {nullptr, dwfl_standard_find_debuginfo, dwfl_offline_section_address, nullptr};
const Dwfl_Callbacks by_build_id = {dwfl_build_id_find_elf, dwfl_standard_find_debuginfo,
                                    dwfl_offline_section_address, nullptr};

/// Where a file lies that is looked for by its build id: as wide as a process's addresses.
constexpr GElf_Addr begin_of_process = 0;
constexpr GElf_Addr end_of_process = GElf_Addr{1} << 56;

std::string build_id_of(Dwfl_Module* module) {
    const unsigned char* bits = nullptr;
    GElf_Addr ignored = 0;
    const int size = dwfl_module_build_id(module, &bits, &ignored);
    return fmt::format("{:02x}", fmt::join(bits, bits + std::max(size, 0), ""));
}

std::vector<unsigned char> bits_of(const std::string& hexadecimal) {
    std::vector<unsigned char> result;
    for (std::size_t at = 0; at + 1 < hexadecimal.size(); at += 2)
        result.push_back(static_cast<unsigned char>(std::stoul(hexadecimal.substr(at, 2), nullptr, 16)));
    return result;
}

/// The address that the linker gave to what is at an offset in the file.
std::optional<GElf_Addr> address_of(Elf* elf, std::uint64_t file_offset) {
    std::size_t count = 0;
    if (elf_getphdrnum(elf, &count) != 0)
        return std::nullopt;
    for (std::size_t i = 0; i < count; ++i) {
        GElf_Phdr segment;
        if (gelf_getphdr(elf, static_cast<int>(i), &segment) != nullptr && segment.p_type == PT_LOAD &&
            segment.p_offset <= file_offset && file_offset - segment.p_offset < segment.p_filesz)
            return segment.p_vaddr + (file_offset - segment.p_offset);
    }
    return std::nullopt;
}

} // namespace

debug_file::debug_file(const fs::path& path, const std::string& build_id)
    : at_path_(open_path(path, build_id)) {
    if (at_path_ != found::yes && !build_id.empty())
        find_by_build_id(build_id);
    if (!is_usable())
        return;
    symbols_.read(module_);
    units_.read(module_);
}

debug_file::found debug_file::open_path(const fs::path& path, const std::string& build_id) {
    std::error_code error;
    if (!fs::is_regular_file(path, error)) // nor would one wait for a pipe
        return found::missing;
    session_.reset(dwfl_begin(&by_path));
    dwfl_report_begin(session_.get());
    module_ = dwfl_report_elf(session_.get(), path.filename().c_str(), path.c_str(), -1, 0, true);
    dwfl_report_end(session_.get(), nullptr, nullptr);
    if (module_ == nullptr)
        return found::missing;
    if (!build_id.empty() && build_id_of(module_) != build_id)
        return found::other_version;
    elf_ = dwfl_module_getelf(module_, &bias_);
    return found::yes;
}

void debug_file::find_by_build_id(const std::string& build_id) {
    const std::vector<unsigned char> bits = bits_of(build_id);
    session_.reset(dwfl_begin(&by_build_id));
    dwfl_report_begin(session_.get());
    module_ = dwfl_report_module(session_.get(), build_id.c_str(), begin_of_process, end_of_process);
    if (module_ != nullptr && dwfl_module_report_build_id(module_, bits.data(), bits.size(), 0) != 0)
        module_ = nullptr;
    dwfl_report_end(session_.get(), nullptr, nullptr);
    if (module_ != nullptr)
        elf_ = dwfl_module_getelf(module_, &bias_);
}

std::vector<frame> debug_file::frames_at(std::uint64_t file_offset) {
    const std::optional<GElf_Addr> in_file = address_of(elf_, file_offset);
    if (!in_file)
        return {};
    const GElf_Addr address = *in_file + bias_;
    std::vector<frame> frames = units_.frames_at(address);
    if (const char* symbol = symbols_.function_at(address)) {
        if (frames.empty())
            frames.emplace_back();
        // A function that no other file can name has its mangled name only here.
        if (!is_mangled(frames.back().symbol))
            frames.back().symbol = symbol;
    }
    std::erase_if(frames, [](const frame& f) { return f.symbol.empty(); });
    for (frame& each : frames) {
        each.symbol = without_suffix(each.symbol);
        each.function = readable_name(each.symbol);
    }
    return frames;
}

} // namespace lowtide::tools
