#include "os/loaded_object.h"

#include "base/bits.h"

#include <cstring>
#include <dlfcn.h>
#include <link.h>

extern "C" {
// Since glibc 2.35; absent from others, and from a static program that doesn't need it otherwise, hence weak.
extern decltype(_dl_find_object) _dl_find_object __attribute__((weak));
// The linker's: the headers of what it has made.
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));
// lowtide.ld's, so only in the shared library.
extern const char lowtide_code_end[] __attribute__((weak));
}

namespace lowtide::os {

namespace {

// Has a look at each part of the object that begins there, as long as `look` answers true.
template <typename Look>
void for_each_part(uintptr_t begin, Look look) noexcept {
    const auto& file = *reinterpret_cast<const ElfW(Ehdr)*>(begin);
    const auto* parts = reinterpret_cast<const ElfW(Phdr)*>(begin + file.e_phoff);
    for (unsigned i = 0; i < file.e_phnum && look(parts[i]); ++i) {
    }
}

// How far from the addresses in the file it was loaded.
uintptr_t slide_of(uintptr_t begin) noexcept {
    uintptr_t slide = 0;
    for_each_part(begin, [&](const ElfW(Phdr) & part) noexcept {
        const bool first = part.p_type == PT_LOAD;
        if (first)
            slide = begin - (part.p_vaddr - part.p_offset);
        return !first;
    });
    return slide;
}

} // namespace

build_id_note find_build_id(uintptr_t begin, uintptr_t end) noexcept {
    constexpr char owner[] = ELF_NOTE_GNU;
    while (begin < end && end - begin >= sizeof(ElfW(Nhdr))) {
        const auto& note = *reinterpret_cast<const ElfW(Nhdr)*>(begin);
        const size_t text = sizeof(note) + align_up(note.n_namesz, 4);
        const size_t length = text + align_up(note.n_descsz, 4);
        if (length > end - begin)
            break;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof(owner) &&
            memcmp(&note + 1, owner, sizeof(owner)) == 0)
            return {reinterpret_cast<const unsigned char*>(begin + text), note.n_descsz};
        begin += length;
    }
    return {};
}

uint64_t build_id(const loaded_object& of) noexcept {
    const auto& file = *reinterpret_cast<const ElfW(Ehdr)*>(of.begin);
    if (of.end - of.begin < sizeof(file) || memcmp(file.e_ident, ELFMAG, SELFMAG) != 0 ||
        file.e_phoff + file.e_phnum * sizeof(ElfW(Phdr)) > of.end - of.begin)
        return 0;
    const uintptr_t slide = slide_of(of.begin);
    uint64_t id = 0;
    for_each_part(of.begin, [&](const ElfW(Phdr) & part) noexcept {
        const uintptr_t begin = part.p_vaddr + slide;
        if (part.p_type == PT_NOTE && of.has(begin) && part.p_memsz <= of.end - begin)
            if (const build_id_note note = find_build_id(begin, begin + part.p_memsz);
                note.size >= sizeof(id))
                memcpy(&id, note.bytes, sizeof(id));
        return id == 0;
    });
    return id;
}

loaded_object own_object() noexcept {
    const auto begin = reinterpret_cast<uintptr_t>(&__ehdr_start);
    const uintptr_t slide = slide_of(begin);
    loaded_object own{begin, begin, 0, 0};
    for_each_part(begin, [&](const ElfW(Phdr) & part) noexcept {
        if (part.p_type == PT_LOAD)
            own.end = part.p_vaddr + part.p_memsz + slide; // they are in order
        if (part.p_type == PT_GNU_EH_FRAME)
            own.eh_frame_hdr = part.p_vaddr + slide;
        return true;
    });
    return own;
}

loaded_object find_object(uintptr_t address) noexcept {
    if (_dl_find_object != nullptr) {
        dl_find_object found;
        if (_dl_find_object(reinterpret_cast<void*>(address), &found) != 0)
            return {};
        return {reinterpret_cast<uintptr_t>(found.dlfo_map_start),
                reinterpret_cast<uintptr_t>(found.dlfo_map_end),
                reinterpret_cast<uintptr_t>(found.dlfo_eh_frame),
                reinterpret_cast<uintptr_t>(found.dlfo_link_map)};
    }
    const loaded_object own = own_object();
    return own.has(address) ? own : loaded_object{};
}

bool is_in_library(uintptr_t address) noexcept {
    const auto begin = reinterpret_cast<uintptr_t>(&__ehdr_start);
    return lowtide_code_end != nullptr &&
           address - begin < reinterpret_cast<uintptr_t>(lowtide_code_end) - begin;
}

} // namespace lowtide::os
