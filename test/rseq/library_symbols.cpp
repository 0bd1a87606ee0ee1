#include "library_symbols.h"

#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <elf.h>
#include <fstream>
#include <iterator>
#include <sys/auxv.h>
#include <vector>

namespace rseq_test {

void fail(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("FAILED: ", stderr);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

void require_concurrency_ids() {
    constexpr unsigned long at_rseq_feature_size = 27;
    constexpr unsigned long size_with_mm_cid = 28;
    constexpr int skipped = 77;
    if (getauxval(at_rseq_feature_size) >= size_with_mm_cid)
        return;
    puts("skipped: this kernel has no concurrency ids");
    exit(skipped);
}

namespace {

std::string resolved(const std::string& path) {
    char full[PATH_MAX];
    if (realpath(path.c_str(), full) == nullptr)
        fail("%s is not there", path.c_str());
    return full;
}

} // namespace

symbol_table read_symbols(const std::string& library) {
    std::ifstream file(library, std::ios::binary);
    const std::vector<char> image{std::istreambuf_iterator<char>(file), {}};
    if (image.size() < sizeof(Elf64_Ehdr))
        fail("%s can't be read", library.c_str());
    const auto* header = reinterpret_cast<const Elf64_Ehdr*>(image.data());
    const auto* sections = reinterpret_cast<const Elf64_Shdr*>(image.data() + header->e_shoff);
    symbol_table table;
    for (unsigned i = 0; i < header->e_shnum; ++i) {
        if (sections[i].sh_type != SHT_SYMTAB)
            continue;
        const auto* symbols = reinterpret_cast<const Elf64_Sym*>(image.data() + sections[i].sh_offset);
        const char* names = image.data() + sections[sections[i].sh_link].sh_offset;
        for (size_t s = 0; s < sections[i].sh_size / sizeof(Elf64_Sym); ++s) {
            if (symbols[s].st_shndx != SHN_UNDEF)
                table.emplace(names + symbols[s].st_name, symbols[s].st_value);
        }
    }
    return table;
}

uint64_t address_of(const symbol_table& symbols, const std::string& name) {
    const auto found = symbols.find(name);
    if (found == symbols.end())
        fail("the library has no symbol %s: is it stripped?", name.c_str());
    return found->second;
}

uint64_t load_base(pid_t process, const std::string& library) {
    const std::string path = resolved(library);
    std::ifstream maps("/proc/" + std::to_string(process) + "/maps");
    for (std::string line; std::getline(maps, line);) {
        if (line.size() > path.size() && line.compare(line.size() - path.size(), path.size(), path) == 0)
            return std::stoull(line, nullptr, 16); // the first mapping begins at the file's first byte
    }
    fail("%s is not loaded in process %d", path.c_str(), static_cast<int>(process));
}

} // namespace rseq_test
