// See symbol_table.h.
#include "profile/symbol_table.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <tuple>

namespace lowtide::tools {

namespace {

bool may_be_function(const GElf_Sym& symbol) {
    const int type = GELF_ST_TYPE(symbol.st_info);
    return symbol.st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE);
}

int preference_of(const GElf_Sym& symbol) {
    switch (GELF_ST_BIND(symbol.st_info)) {
    case STB_GLOBAL:
        return 0;
    case STB_WEAK:
        return 1;
    default:
        return 2;
    }
}

/// What is written in assembler often says no size: it goes as far as its section, or to the next one.
GElf_Addr end_of(const GElf_Sym& symbol, GElf_Addr begin, GElf_Word section_number, Elf* elf) {
    if (symbol.st_size != 0)
        return begin + symbol.st_size;
    GElf_Shdr section;
    if (gelf_getshdr(elf_getscn(elf, section_number), &section) == nullptr ||
        (section.sh_flags & SHF_EXECINSTR) == 0)
        return begin;
    return begin + (section.sh_addr + section.sh_size - symbol.st_value);
}

} // namespace

void symbol_table::read(Dwfl_Module* module) {
    const int count = dwfl_module_getsymtab(module);
    for (int i = 1; i < count; ++i) { // the first is none
        GElf_Sym symbol;
        GElf_Addr begin = 0;
        GElf_Word section = 0;
        Elf* elf = nullptr;
        const char* name = dwfl_module_getsym_info(module, i, &symbol, &begin, &section, &elf, nullptr);
        if (name == nullptr || *name == '\0' || !may_be_function(symbol))
            continue;
        const GElf_Addr end = end_of(symbol, begin, section, elf);
        if (begin < end)
            functions_.push_back({begin, end, preference_of(symbol), name});
    }
    std::ranges::stable_sort(functions_, {}, [](const function& f) {
        return std::tuple(f.begin, f.preference, ~(f.end - f.begin));
    });
    const auto same_begin = [](const function& a, const function& b) { return a.begin == b.begin; };
    functions_.erase(std::unique(functions_.begin(), functions_.end(), same_begin), functions_.end());
}

const char* symbol_table::function_at(GElf_Addr address) const {
    const auto above = std::ranges::upper_bound(functions_, address, {}, &function::begin);
    if (above == functions_.begin() || address >= std::prev(above)->end)
        return nullptr;
    return std::prev(above)->name;
}

} // namespace lowtide::tools
