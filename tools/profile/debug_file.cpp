// See debug_file.h.
#include "profile/debug_file.h"

#include "profile/names.h"

#include <algorithm>
#include <cstdlib>
#include <dwarf.h>
#include <fmt/format.h>
#include <iterator>
#include <optional>
#include <span>

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

/// An array that libdw has allocated, with what it returned as its size.
class scopes {
public:
    template <class Get>
    explicit scopes(Get get) {
        const int count = get(&all_);
        size_ = count > 0 ? static_cast<std::size_t>(count) : 0;
    }
    ~scopes() { std::free(all_); }
    scopes(const scopes&) = delete;
    scopes& operator=(const scopes&) = delete;

    std::span<Dwarf_Die> all() const { return {all_, size_}; }

private:
    Dwarf_Die* all_ = nullptr;
    std::size_t size_ = 0;
};

bool is_function(Dwarf_Die& scope) {
    const int tag = dwarf_tag(&scope);
    return tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine || tag == DW_TAG_entry_point;
}

const char* linkage_name(Dwarf_Die& function) {
    Dwarf_Attribute attribute;
    for (const unsigned name : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name})
        if (dwarf_attr_integrate(&function, name, &attribute) != nullptr)
            return dwarf_formstring(&attribute);
    return nullptr;
}

std::string name_of(Dwarf_Die& scope) {
    const char* name = dwarf_diename(&scope);
    if (name == nullptr && dwarf_tag(&scope) == DW_TAG_namespace)
        return "(anonymous namespace)";
    return name != nullptr ? name : "";
}

/// A function that no other file can name and that is inlined everywhere has no mangled name: what it is in
/// is put before its own.
std::string qualified_name(Dwarf_Die& function) {
    Dwarf_Die origin = function;
    Dwarf_Attribute attribute;
    for (const unsigned reference : {DW_AT_abstract_origin, DW_AT_specification})
        if (dwarf_attr(&origin, reference, &attribute) != nullptr)
            dwarf_formref_die(&attribute, &origin);
    std::string result = name_of(origin);
    const scopes around([&](Dwarf_Die** all) { return dwarf_getscopes_die(&origin, all); });
    for (Dwarf_Die& scope : around.all().subspan(std::min<std::size_t>(1, around.all().size()))) {
        const int tag = dwarf_tag(&scope);
        if (tag == DW_TAG_namespace || tag == DW_TAG_structure_type || tag == DW_TAG_class_type ||
            tag == DW_TAG_union_type || tag == DW_TAG_subprogram)
            result = name_of(scope) + "::" + result;
    }
    return result;
}

std::int64_t number_in(Dwarf_Die& scope, unsigned attribute_name) {
    Dwarf_Attribute attribute;
    Dwarf_Word number = 0;
    if (dwarf_attr(&scope, attribute_name, &attribute) == nullptr ||
        dwarf_formudata(&attribute, &number) != 0)
        return 0;
    return static_cast<std::int64_t>(number);
}

/// Where an inlined function was called.
void set_call_site(frame& caller, Dwarf_Die& unit, Dwarf_Die& inlined) {
    Dwarf_Files* files = nullptr;
    std::size_t count = 0;
    const std::int64_t file = number_in(inlined, DW_AT_call_file);
    caller.line = number_in(inlined, DW_AT_call_line);
    if (dwarf_getsrcfiles(&unit, &files, &count) == 0 && static_cast<std::uint64_t>(file) < count)
        if (const char* name = dwarf_filesrc(files, static_cast<std::size_t>(file), nullptr, nullptr))
            caller.file = name;
}

void set_source(frame& innermost, Dwarf_Die& unit, Dwarf_Addr address) {
    Dwarf_Line* line = dwarf_getsrc_die(&unit, address);
    int number = 0;
    if (line == nullptr || dwarf_lineno(line, &number) != 0)
        return;
    innermost.line = number;
    if (const char* name = dwarf_linesrc(line, nullptr, nullptr))
        innermost.file = name;
}

} // namespace

debug_file::debug_file(const fs::path& path, const std::string& build_id)
    : at_path_(open_path(path, build_id)) {
    if (at_path_ != found::yes && !build_id.empty())
        find_by_build_id(build_id);
    if (is_usable())
        list_units();
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

/// libdw's own way from an address to its unit needs .debug_aranges, which clang doesn't write.
void debug_file::list_units() {
    Dwarf_Addr bias = 0;
    for (Dwarf_Die* unit = nullptr; (unit = dwfl_module_nextcu(module_, unit, &bias)) != nullptr;) {
        Dwarf_Die whole = *unit;
        Dwarf_Die split; // the unit itself, where it is in a file of its own
        std::uint8_t type = 0;
        if (dwarf_cu_info(unit->cu, nullptr, &type, nullptr, &split, nullptr, nullptr, nullptr) == 0 &&
            type == DW_UT_skeleton && dwarf_tag(&split) == DW_TAG_compile_unit)
            whole = split;
        Dwarf_Addr base = 0;
        Dwarf_Addr begin = 0;
        Dwarf_Addr end = 0;
        for (std::ptrdiff_t at = 0; (at = dwarf_ranges(unit, at, &base, &begin, &end)) > 0;)
            units_.push_back({begin + bias, end + bias, whole});
    }
    std::ranges::sort(units_, {}, &unit_range::begin);
}

Dwarf_Die* debug_file::unit_of(Dwarf_Addr address) {
    const auto above = std::ranges::upper_bound(units_, address, {}, &unit_range::begin);
    if (above == units_.begin() || address >= std::prev(above)->end)
        return nullptr;
    return &std::prev(above)->unit;
}

std::vector<frame> debug_file::debug_frames_at(Dwarf_Addr address) {
    Dwarf_Die* unit = unit_of(address);
    Dwarf_Addr bias = 0;
    if (unit == nullptr || dwfl_module_getdwarf(module_, &bias) == nullptr)
        return {};
    const scopes by_address([&](Dwarf_Die** all) { return dwarf_getscopes(unit, address - bias, all); });
    const auto innermost = std::ranges::find_if(by_address.all(), is_function);
    if (innermost == by_address.all().end())
        return {};
    // Around an inlined function those are the scopes of its definition; here are those of the call.
    const scopes around([&](Dwarf_Die** all) { return dwarf_getscopes_die(&*innermost, all); });
    std::vector<frame> frames;
    Dwarf_Die* inlined = nullptr; // into the next one
    for (Dwarf_Die& scope : around.all()) {
        if (!is_function(scope))
            continue;
        const char* symbol = linkage_name(scope);
        frame& here = frames.emplace_back();
        here.symbol = symbol != nullptr ? symbol : qualified_name(scope);
        if (inlined != nullptr)
            set_call_site(here, *unit, *inlined);
        else
            set_source(here, *unit, address - bias);
        inlined = &scope;
        if (dwarf_tag(&scope) == DW_TAG_subprogram)
            break;
    }
    return frames;
}

std::vector<frame> debug_file::frames_at(std::uint64_t file_offset) {
    const std::optional<GElf_Addr> in_file = address_of(elf_, file_offset);
    if (!in_file)
        return {};
    const GElf_Addr address = *in_file + bias_;
    std::vector<frame> frames = debug_frames_at(address);
    GElf_Off offset = 0;
    GElf_Sym symbol{};
    const char* name = dwfl_module_addrinfo(module_, address, &offset, &symbol, nullptr, nullptr, nullptr);
    if (name != nullptr) {
        if (frames.empty())
            frames.emplace_back();
        // A function that no other file can name has its mangled name only here.
        if (!is_mangled(frames.back().symbol))
            frames.back().symbol = name;
    }
    std::erase_if(frames, [](const frame& f) { return f.symbol.empty(); });
    for (frame& each : frames) {
        each.symbol = without_suffix(each.symbol);
        each.function = readable_name(each.symbol);
    }
    return frames;
}

} // namespace lowtide::tools
