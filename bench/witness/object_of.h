// Which object file a symbol of this process comes from: the proof that an allocator is really loaded.
#pragma once

#include <dlfcn.h>
#include <initializer_list>
#include <link.h>

namespace lowtide::bench {

/// The file that defines `symbol` for this process, or "-" if none does. It is looked up the way a call from
/// the program would be, so an interposed definition that merely sits in memory does not count.
///
/// In a program at a fixed address (Debian's python3 is one), the address of a function may be that of the
/// program's own jump to it, which stands in its symbol table without being a definition. What the jump leads
/// to is then the first definition behind the program; so the caller must be the program, or preloaded before
/// all that could define the symbol.
inline const char* object_of(const char* symbol) noexcept {
    for (void* const from : {RTLD_DEFAULT, RTLD_NEXT}) {
        Dl_info info{};
        ElfW(Sym)* entry = nullptr;
        void* const address = dlsym(from, symbol);
        if (address == nullptr ||
            dladdr1(address, &info, reinterpret_cast<void**>(&entry), RTLD_DL_SYMENT) == 0 ||
            info.dli_fname == nullptr)
            return "-";
        if (entry == nullptr || entry->st_shndx != SHN_UNDEF)
            return info.dli_fname;
    }
    return "-";
}

} // namespace lowtide::bench
