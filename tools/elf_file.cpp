// Reading ELF files: see elf_file.h.
#include "elf_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lowtide::tools {

namespace {

/// A whole file, mapped.
class file_image {
public:
    explicit file_image(const std::filesystem::path& path) {
        const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0)
            return;
        struct stat status {};
        if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
            const auto size = static_cast<std::size_t>(status.st_size);
            void* map = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
            if (map != MAP_FAILED)
                bytes_ = {static_cast<const char*>(map), size};
        }
        close(fd);
    }
    ~file_image() {
        if (!bytes_.empty())
            munmap(const_cast<char*>(bytes_.data()), bytes_.size());
    }
    file_image(const file_image&) = delete;
    file_image& operator=(const file_image&) = delete;

    template <class T>
    std::optional<T> get(std::uint64_t offset) const {
        if (offset > bytes_.size() || bytes_.size() - offset < sizeof(T))
            return std::nullopt;
        T value;
        std::memcpy(&value, bytes_.data() + offset, sizeof value);
        return value;
    }

    /// The text at `offset` up to its NUL; empty where there is none.
    std::string_view text(std::uint64_t offset) const {
        if (offset >= bytes_.size())
            return {};
        const std::string_view rest = bytes_.substr(offset);
        const std::size_t end = rest.find('\0');
        return end == rest.npos ? std::string_view{} : rest.substr(0, end);
    }

private:
    std::string_view bytes_;
};

constexpr unsigned char own_order = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;
constexpr unsigned char own_class = sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32;
static_assert(own_class == ELFCLASS64, "the structures below are those of 64-bit files");

class reader {
public:
    reader(const file_image& image, elf_file& into, std::span<const std::string_view> names)
        : image_(image), into_(into), names_(names) {}

    void read(const Elf64_Ehdr& header) {
        for (unsigned i = 0; i < header.e_phnum; ++i) {
            const auto segment = image_.get<Elf64_Phdr>(header.e_phoff + i * sizeof(Elf64_Phdr));
            if (segment && segment->p_type == PT_INTERP)
                into_.interpreter = image_.text(segment->p_offset);
            into_.truncated |= !segment || (segment->p_type == PT_INTERP && into_.interpreter.empty());
        }
        for (unsigned i = 0; i < header.e_shnum; ++i) {
            const auto section = section_at(header, i);
            if (!section)
                return;
            const auto strings = section_at(header, section->sh_link);
            if (!strings || strings->sh_type != SHT_STRTAB)
                continue;
            if (section->sh_type == SHT_DYNAMIC)
                read_dynamic(*section, strings->sh_offset);
            else if (section->sh_type == SHT_DYNSYM || section->sh_type == SHT_SYMTAB)
                read_symbols(*section, strings->sh_offset);
        }
    }

private:
    std::optional<Elf64_Shdr> section_at(const Elf64_Ehdr& header, unsigned index) const {
        if (index >= header.e_shnum)
            return std::nullopt;
        return image_.get<Elf64_Shdr>(header.e_shoff + index * sizeof(Elf64_Shdr));
    }

    void read_dynamic(const Elf64_Shdr& section, std::uint64_t strings) {
        for (std::uint64_t at = 0; at < section.sh_size; at += sizeof(Elf64_Dyn)) {
            const auto entry = image_.get<Elf64_Dyn>(section.sh_offset + at);
            if (!entry || entry->d_tag == DT_NULL)
                return;
            if (entry->d_tag == DT_NEEDED)
                into_.needed.emplace_back(image_.text(strings + entry->d_un.d_val));
            else if (entry->d_tag == DT_SONAME)
                into_.soname = image_.text(strings + entry->d_un.d_val);
        }
    }

    void read_symbols(const Elf64_Shdr& section, std::uint64_t strings) {
        for (std::uint64_t at = 0; at < section.sh_size; at += sizeof(Elf64_Sym)) {
            const auto symbol = image_.get<Elf64_Sym>(section.sh_offset + at);
            if (!symbol)
                return;
            const std::string_view name = image_.text(strings + symbol->st_name);
            if (std::ranges::find(names_, name) == names_.end())
                continue;
            if (ELF64_ST_BIND(symbol->st_info) == STB_LOCAL) // the file's own affair
                into_.local.emplace(name);
            else
                (symbol->st_shndx == SHN_UNDEF ? into_.imported : into_.defined).emplace(name);
        }
    }

    const file_image& image_;
    elf_file& into_;
    std::span<const std::string_view> names_;
};

} // namespace

std::string name_of(const elf_target& target) {
    const auto machine = [&]() -> std::string {
        switch (target.machine) {
        case EM_386:
            return "i386";
        case EM_X86_64:
            return "x86-64";
        case EM_ARM:
            return "arm";
        case EM_AARCH64:
            return "aarch64";
        case EM_RISCV:
            return "riscv";
        case EM_PPC64:
            return "ppc64";
        case EM_S390:
            return "s390";
        default:
            return fmt::format("machine {}", target.machine);
        }
    }();
    return fmt::format("{}{}{}", machine, target.bits == ELFCLASS32 ? ", 32 bits" : "",
                       target.order == ELFDATA2MSB ? ", big-endian" : "");
}

std::optional<elf_file> elf_file::read(const std::filesystem::path& path,
                                       std::span<const std::string_view> names) {
    const file_image image(path);
    const auto identity = image.get<std::array<unsigned char, EI_NIDENT>>(0);
    if (!identity || std::memcmp(identity->data(), ELFMAG, SELFMAG) != 0)
        return std::nullopt;
    // The machine is at the same place in files of 32 and of 64 bits.
    auto machine = image.get<std::uint16_t>(offsetof(Elf64_Ehdr, e_machine));
    if (!machine)
        return std::nullopt;
    if ((*identity)[EI_DATA] != own_order)
        machine = __builtin_bswap16(*machine);

    elf_file file;
    file.target = {.bits = (*identity)[EI_CLASS], .order = (*identity)[EI_DATA], .machine = *machine};
    const auto header = image.get<Elf64_Ehdr>(0);
    file.truncated = !header;
    if (header && file.target.bits == own_class && file.target.order == own_order)
        reader(image, file, names).read(*header);
    return file;
}

} // namespace lowtide::tools
