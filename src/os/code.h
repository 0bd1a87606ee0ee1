// The code that this process has mapped, as somebody needs it who makes names of addresses later, elsewhere.
// No malloc; errno is left alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lowtide::os {

// A line of /proc/self/maps (proc_pid_maps(5)) with execute permission and a name, as it is there.
struct code_mapping {
    std::string_view begin; // hexadecimal, as the next two
    std::string_view end;
    std::string_view offset;
    std::string_view path;
    const unsigned char* build_id; // of the ELF file, if it has one
    size_t build_id_size;
};

using code_visitor = void (*)(void* context, const code_mapping& m) noexcept;
[[gnu::cold]] void for_each_code_mapping(code_visitor visit, void* context) noexcept;

// The path of the running program, in `to`; empty when it can't be had.
[[gnu::cold]] std::string_view program_path(char* to, size_t size) noexcept;

} // namespace lowtide::os
