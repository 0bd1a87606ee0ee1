#include "os/program_memory.h"

#include "os/machine.h"
#include "os/system_text.h"
#include "os/vm.h"

#include <link.h>

extern "C" __attribute__((visibility("hidden"))) const ElfW(Ehdr) __ehdr_start;

namespace lowtide::os {

bool for_each_writable_mapping(uintptr_t stack, memory_visitor visit, void* context) noexcept {
    constexpr size_t most = 64 * mebibyte;
    char buffer[4096];
    line_reader lines("/proc/self/maps", buffer, sizeof(buffer), most);
    bool any = false;
    for (std::string_view line; lines.next(line);) {
        // "begin-end mode offset device inode      path"
        uintptr_t begin = to_address(take(line, '-'));
        const uintptr_t end = to_address(take(line, ' '));
        any = true;
        if (line.size() < 2 || line[0] != 'r' || line[1] != 'w')
            continue;
        if (begin <= stack && stack < end)
            begin = stack;
        visit(context, begin, end);
    }
    return any;
}

// In a program that it is linked into statically they are among the program's.
memory_range own_data() noexcept {
    const auto base = reinterpret_cast<uintptr_t>(&__ehdr_start);
    if (__ehdr_start.e_type != ET_DYN || __ehdr_start.e_entry != 0)
        return {};
    const auto* segments = reinterpret_cast<const ElfW(Phdr)*>(base + __ehdr_start.e_phoff);
    for (unsigned i = 0; i < __ehdr_start.e_phnum; ++i)
        if (segments[i].p_type == PT_LOAD && (segments[i].p_flags & PF_W) != 0)
            return {base + segments[i].p_vaddr, base + segments[i].p_vaddr + segments[i].p_memsz};
    return {};
}

} // namespace lowtide::os
