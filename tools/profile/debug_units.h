// The debug information of a file: which functions are at an address, inlined ones included.
//
// A unit's functions are listed once, when an address in it is asked for; libdw's own dwarf_getscopes goes
// through the unit each time. Nor is its way from an address to the unit used, which needs .debug_aranges:
// clang doesn't write that.
#pragma once

#include "profile/heap_profile.h"

#include <elfutils/libdwfl.h>
#include <unordered_map>

namespace lowtide::tools {

class debug_units {
public:
    void read(Dwfl_Module* module);

    /// The innermost first; in `symbol` is the mangled name, or the plain one where there is none.
    std::vector<frame> frames_at(Dwarf_Addr address);

private:
    /// What is at a range of addresses.
    template <class Item>
    struct range {
        Dwarf_Addr begin;
        Dwarf_Addr end;
        Item item;
    };
    template <class Item>
    using ranges = std::vector<range<Item>>; // by address
    struct unit {
        Dwarf_Die root;
        Dwarf_Addr bias; // of libdwfl's addresses over those in it
        bool listed = false;
        ranges<Dwarf_Die> functions{};
    };

    template <class Item>
    static Item* find(ranges<Item>& in, Dwarf_Addr address);
    static void add(Dwarf_Die& scope, ranges<Dwarf_Die>& to);
    static void list_functions(Dwarf_Die& scope, ranges<Dwarf_Die>& to);
    const std::string& name_of(Dwarf_Die& function);

    std::vector<unit> units_;
    ranges<std::size_t> unit_ranges_; // indices into `units_`
    std::unordered_map<const void*, std::string> names_;
};

} // namespace lowtide::tools
