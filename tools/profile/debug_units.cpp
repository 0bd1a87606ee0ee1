// See debug_units.h.
#include "profile/debug_units.h"

#include <algorithm>
#include <cstdlib>
#include <dwarf.h>
#include <iterator>
#include <span>

namespace lowtide::tools {

namespace {

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

const char* linkage_name(Dwarf_Die& function) {
    Dwarf_Attribute attribute;
    for (const unsigned name : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name})
        if (dwarf_attr_integrate(&function, name, &attribute) != nullptr)
            return dwarf_formstring(&attribute);
    return nullptr;
}

std::string plain_name(Dwarf_Die& scope) {
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
    std::string result = plain_name(origin);
    const scopes around([&](Dwarf_Die** all) { return dwarf_getscopes_die(&origin, all); });
    for (Dwarf_Die& scope : around.all().subspan(std::min<std::size_t>(1, around.all().size()))) {
        const int tag = dwarf_tag(&scope);
        if (tag == DW_TAG_namespace || tag == DW_TAG_structure_type || tag == DW_TAG_class_type ||
            tag == DW_TAG_union_type || tag == DW_TAG_subprogram)
            result = plain_name(scope) + "::" + result;
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

/// Calls `action` for each scope directly in another one, until it returns true. Whether it did.
template <class Action>
bool any_child(Dwarf_Die& scope, Action action) {
    Dwarf_Die child;
    for (int end = dwarf_child(&scope, &child); end == 0; end = dwarf_siblingof(&child, &child))
        if (action(child))
            return true;
    return false;
}

bool has_addresses(Dwarf_Die& scope) {
    return dwarf_hasattr(&scope, DW_AT_low_pc) != 0 || dwarf_hasattr(&scope, DW_AT_ranges) != 0;
}

/// Adds the functions that were inlined at an address, the outermost first. Whether it is in the scope at
/// all.
bool add_inlined(Dwarf_Die& scope, Dwarf_Addr address, std::vector<Dwarf_Die>& to) {
    return any_child(scope, [&](Dwarf_Die& child) {
        const int tag = dwarf_tag(&child);
        if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_lexical_block)
            return false;
        if (!has_addresses(child)) // what is in it has
            return add_inlined(child, address, to);
        if (dwarf_haspc(&child, address) <= 0)
            return false;
        if (tag == DW_TAG_inlined_subroutine)
            to.push_back(child);
        add_inlined(child, address, to);
        return true;
    });
}

} // namespace

void debug_units::read(Dwfl_Module* module) {
    Dwarf_Addr bias = 0;
    for (Dwarf_Die* root = nullptr; (root = dwfl_module_nextcu(module, root, &bias)) != nullptr;) {
        Dwarf_Die split; // the unit itself, where it is in a file of its own
        std::uint8_t type = 0;
        const bool is_split =
            dwarf_cu_info(root->cu, nullptr, &type, nullptr, &split, nullptr, nullptr, nullptr) == 0 &&
            type == DW_UT_skeleton && dwarf_tag(&split) == DW_TAG_compile_unit;
        Dwarf_Addr base = 0;
        Dwarf_Addr begin = 0;
        Dwarf_Addr end = 0;
        for (std::ptrdiff_t at = 0; (at = dwarf_ranges(root, at, &base, &begin, &end)) > 0;)
            unit_ranges_.push_back({begin + bias, end + bias, units_.size()});
        units_.push_back({is_split ? split : *root, bias});
    }
    std::ranges::sort(unit_ranges_, {}, &range<std::size_t>::begin);
}

template <class Item>
Item* debug_units::find(ranges<Item>& in, Dwarf_Addr address) {
    const auto above = std::ranges::upper_bound(in, address, {}, &range<Item>::begin);
    if (above == in.begin() || address >= std::prev(above)->end)
        return nullptr;
    return &std::prev(above)->item;
}

void debug_units::add(Dwarf_Die& scope, ranges<Dwarf_Die>& to) {
    Dwarf_Addr base = 0;
    Dwarf_Addr begin = 0;
    Dwarf_Addr end = 0;
    for (std::ptrdiff_t at = 0; (at = dwarf_ranges(&scope, at, &base, &begin, &end)) > 0;)
        to.push_back({begin, end, scope});
}

/// They may be in namespaces, in classes and in other functions.
void debug_units::list_functions(Dwarf_Die& scope, ranges<Dwarf_Die>& to) {
    any_child(scope, [&](Dwarf_Die& child) {
        const int tag = dwarf_tag(&child);
        if (tag == DW_TAG_subprogram)
            add(child, to);
        if (tag != DW_TAG_inlined_subroutine)
            list_functions(child, to);
        return false;
    });
}

const std::string& debug_units::name_of(Dwarf_Die& function) {
    Dwarf_Die origin = function;
    Dwarf_Attribute attribute;
    if (dwarf_attr(&function, DW_AT_abstract_origin, &attribute) != nullptr)
        dwarf_formref_die(&attribute, &origin);
    const auto [known, is_new] = names_.try_emplace(origin.addr);
    if (is_new) {
        const char* symbol = linkage_name(origin);
        known->second = symbol != nullptr ? symbol : qualified_name(origin);
    }
    return known->second;
}

std::vector<frame> debug_units::frames_at(Dwarf_Addr address) {
    const std::size_t* index = find(unit_ranges_, address);
    if (index == nullptr)
        return {};
    unit& in = units_[*index];
    if (!in.listed) {
        in.listed = true;
        list_functions(in.root, in.functions);
        std::ranges::sort(in.functions, {}, &range<Dwarf_Die>::begin);
    }
    const Dwarf_Addr own = address - in.bias;
    Dwarf_Die* function = find(in.functions, own);
    if (function == nullptr)
        return {};
    std::vector<Dwarf_Die> calls = {*function};
    add_inlined(*function, own, calls);
    std::vector<frame> frames(calls.size());
    for (std::size_t i = 0; i < calls.size(); ++i) {
        frame& here = frames[calls.size() - 1 - i];
        here.symbol = name_of(calls[i]);
        if (i + 1 < calls.size())
            set_call_site(here, in.root, calls[i + 1]);
        else
            set_source(here, in.root, own);
    }
    return frames;
}

} // namespace lowtide::tools
