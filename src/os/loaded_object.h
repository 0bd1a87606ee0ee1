// What the program consists of: itself, shared libraries, the vDSO; and where each has its unwinding tables.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lowtide::os {

struct loaded_object {
    uintptr_t begin = 0; // of what the dynamic linker has mapped for it
    uintptr_t end = 0;
    uintptr_t eh_frame_hdr = 0; // 0: it has none
    uintptr_t link_map = 0;     // the dynamic linker's record of it

    [[nodiscard]] bool has(uintptr_t address) const noexcept { return address - begin < end - begin; }
};

// The object that this address belongs to; an empty one where there is none, or where it can't be known
// (glibc before 2.35). Takes no lock and no memory: for signal handlers too.
[[nodiscard]] loaded_object find_object(uintptr_t address) noexcept;

// The build id among the notes in [begin, end) (elf(5)), which are there to be read; of size 0 where there is
// none.
struct build_id_note {
    const unsigned char* bytes = nullptr;
    size_t size = 0;
};
[[nodiscard]] build_id_note find_build_id(uintptr_t begin, uintptr_t end) noexcept;

// The first words of its build id, with which the linker marks what it has made; 0 where there is none.
[[nodiscard]] uint64_t build_id(const loaded_object& of) noexcept;

// The object that this library is part of: of a program linked statically it is the program.
[[nodiscard]] loaded_object own_object() noexcept;

// Is the address in the shared library's own code? False in a program that is linked with the archive.
[[nodiscard]] bool is_in_library(uintptr_t address) noexcept;

} // namespace lowtide::os
