// What an ELF file says about itself, as far as the pre-flight asks. Every offset in the file is checked
// before it is followed: a damaged file yields less, never a crash.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lowtide::tools {

/// The kind of machine code: two files with the same one can live in one process.
struct elf_target {
    unsigned char bits = 0;  // ELFCLASS32 or ELFCLASS64
    unsigned char order = 0; // ELFDATA2LSB or ELFDATA2MSB
    std::uint16_t machine = 0;

    friend bool operator==(const elf_target&, const elf_target&) = default;
};

/// "x86-64", "aarch64", "i386, 32 bits"…
std::string name_of(const elf_target& target);

struct elf_file {
    elf_target target;

    // Read only where the target is this command's own.
    std::string interpreter; // the dynamic loader; empty where the file asks for none
    std::string soname;
    std::vector<std::string> needed;
    std::set<std::string, std::less<>> defined;  // of the names that were asked for
    std::set<std::string, std::less<>> imported; // likewise
    std::set<std::string, std::less<>> local;    // likewise
    bool truncated = false; // it ends before what its header says: no system would execute it

    /// Nothing where the file is not ELF or cannot be read.
    static std::optional<elf_file> read(const std::filesystem::path& path,
                                        std::span<const std::string_view> names = {});
};

} // namespace lowtide::tools
