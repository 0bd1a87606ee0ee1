#include "os/code.h"

#include "os/loaded_object.h"
#include "os/system_text.h"

#include <link.h>
#include <sys/uio.h>

namespace lowtide::os {

namespace {

constexpr size_t line_size = 4096;
constexpr size_t most_maps = 64 * mebibyte;
constexpr size_t most_build_id = 64;

// Reads memory that may have gone, or that no file stands behind any more. False when that is so.
bool copy_memory(uintptr_t from, void* to, size_t size) noexcept {
    iovec here{to, size};
    iovec there{reinterpret_cast<void*>(from), size};
    const long got = system_call(SYS_process_vm_readv, static_cast<long>(process_id()),
                                 reinterpret_cast<long>(&here), 1, reinterpret_cast<long>(&there), 1, 0);
    return got >= 0 && static_cast<size_t>(got) == size;
}

class build_id_reader {
public:
    // Of the ELF file whose beginning is mapped at `base`.
    void read(uintptr_t base) noexcept {
        found_ = {};
        ElfW(Ehdr) file;
        if (!copy_memory(base, &file, sizeof(file)) || __builtin_memcmp(file.e_ident, ELFMAG, SELFMAG) != 0 ||
            file.e_phentsize != sizeof(ElfW(Phdr)))
            return;
        for (unsigned i = 0; i < file.e_phnum && found_.size == 0; ++i) {
            ElfW(Phdr) segment;
            if (copy_memory(base + file.e_phoff + i * sizeof(segment), &segment, sizeof(segment)) &&
                segment.p_type == PT_NOTE)
                read_notes(base + segment.p_offset, segment.p_filesz);
        }
    }
    [[nodiscard]] const build_id_note& found() const { return found_; }

private:
    // Notes lie in the part of the file that is mapped from its beginning.
    void read_notes(uintptr_t at, size_t length) noexcept {
        length = length < sizeof(notes_) ? length : sizeof(notes_);
        const auto copied = reinterpret_cast<uintptr_t>(notes_);
        if (copy_memory(at, notes_, length))
            found_ = find_build_id(copied, copied + length);
        if (found_.size > most_build_id)
            found_ = {};
    }

    alignas(8) unsigned char notes_[4096]; // the linker's own notes are a hundred bytes or so
    build_id_note found_;
};

} // namespace

void for_each_code_mapping(code_visitor visit, void* context) noexcept {
    char buffer[line_size];
    line_reader lines("/proc/self/maps", buffer, sizeof(buffer), most_maps);
    uintptr_t file = 0; // where the last one that begins with its file's beginning is
    build_id_reader id;
    for (std::string_view line; lines.next(line);) {
        // "begin-end mode offset device inode      path"
        code_mapping m{};
        m.begin = take(line, '-');
        m.end = take(line, ' ');
        const std::string_view mode = take(line, ' ');
        m.offset = take(line, ' ');
        take(line, ' ');
        take(line, ' ');
        while (!line.empty() && line.front() == ' ')
            line.remove_prefix(1);
        m.path = line;
        if (to_address(m.offset) == 0)
            file = to_address(m.begin);
        if (mode.size() < 3 || mode[2] != 'x' || m.path.empty())
            continue;
        id.read(file);
        m.build_id = id.found().bytes;
        m.build_id_size = id.found().size;
        visit(context, m);
    }
}

std::string_view program_path(char* to, size_t size) noexcept {
    const long length = system_call(SYS_readlinkat, AT_FDCWD, reinterpret_cast<long>("/proc/self/exe"),
                                    reinterpret_cast<long>(to), static_cast<long>(size));
    return {to, length > 0 ? static_cast<size_t>(length) : 0};
}

} // namespace lowtide::os
