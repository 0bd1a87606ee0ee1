// Pre-flight: see preflight.h.
#include "preflight.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <sstream>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace lowtide::tools {

namespace {

namespace fs = std::filesystem;

struct sanitizer {
    std::string_view name;
    std::string_view library; // in the names of gcc's libasan.so.8 and clang's libclang_rt.asan-x86_64.so
    std::string_view symbol;
};

constexpr std::array sanitizers = {
    sanitizer{"AddressSanitizer", "asan", "__asan_init"},
    sanitizer{"ThreadSanitizer", "tsan", "__tsan_init"},
    sanitizer{"MemorySanitizer", "msan", "__msan_init"},
    sanitizer{"LeakSanitizer", "lsan", "__lsan_init"},
    sanitizer{"HWAddressSanitizer", "hwasan", "__hwasan_init"},
};

// Functions of other allocators whose memory must not be passed to free: a program that calls them keeps
// them.
constexpr std::array<std::string_view, 6> foreign_functions = {"mallocx",   "rallocx",   "je_malloc",
                                                               "mi_malloc", "tc_malloc", "rpmalloc"};

constexpr std::array<std::string_view, 5> allocator_libraries = {"libjemalloc", "libtcmalloc", "libmimalloc",
                                                                 "libsnmalloc", "librpmalloc"};

// Hidden in liblowtide.a: a local symbol of what is linked with it, or in a static program a global one.
constexpr std::string_view lowtides_own = "lowtide_malloc_slow";

constexpr auto names_to_look_for = [] {
    std::array<std::string_view, 2 + sanitizers.size() + foreign_functions.size()> names{"malloc",
                                                                                         lowtides_own};
    auto next = names.begin() + 2;
    for (const sanitizer& s : sanitizers)
        *next++ = s.symbol;
    std::ranges::copy(foreign_functions, next);
    return names;
}();

bool is_sanitizer_library(std::string_view file, const sanitizer& s) {
    return file.starts_with(fmt::format("lib{}.so", s.library)) ||
           file.starts_with(fmt::format("libclang_rt.{}", s.library));
}

bool is_allocator_library(std::string_view file) {
    return std::ranges::any_of(allocator_libraries, [&](std::string_view l) { return file.starts_with(l); });
}

class examination {
public:
    examination(const fs::path& program, const elf_target& library) : program_(program), library_(library) {}

    std::vector<finding> of_program() && {
        if (access(program_.c_str(), R_OK) != 0) {
            note("cannot be read, so nothing could be checked before the start");
            return std::move(findings_);
        }
        const auto file = elf_file::read(program_, names_to_look_for);
        if (!file)
            return std::move(findings_); // the system's own error message is the better one
        if (file->target != library_) {
            refuse(fmt::format("is made for {}, and this Lowtide for {}", name_of(file->target),
                               name_of(library_)));
            return std::move(findings_);
        }
        if (file->truncated)
            return std::move(findings_); // as above
        if (file->local.contains(lowtides_own) || file->defined.contains(lowtides_own)) {
            refuse("is linked with liblowtide.a: it runs on Lowtide already, when it is started by itself");
            return std::move(findings_);
        }
        if (!has_glibc_loader(*file))
            return std::move(findings_);
        check_rights();
        check_sanitizers(*file);
        check_allocators(*file);
        return std::move(findings_);
    }

private:
    void refuse(std::string_view what) {
        findings_.push_back({true, fmt::format("{} {}", program_.string(), what)});
    }
    void note(std::string_view what) {
        findings_.push_back({false, fmt::format("{} {}", program_.string(), what)});
    }

    bool has_glibc_loader(const elf_file& file) {
        if (fs::path(file.interpreter).filename().native().starts_with("ld-musl")) {
            refuse(fmt::format("uses the C library musl ({}), and Lowtide needs glibc", file.interpreter));
            return false;
        }
        // The loader itself can be called as a program, and then loads what it is told to.
        if (file.interpreter.empty() && !file.soname.starts_with("ld")) {
            refuse("is statically linked: there is no loader that could load Lowtide; "
                   "link it with liblowtide.a instead");
            return false;
        }
        return true;
    }

    // The kernel's rule for AT_SECURE, under which the loader ignores LD_PRELOAD.
    void check_rights() {
        struct stat status {};
        struct statvfs mount {};
        if (stat(program_.c_str(), &status) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ||
            (statvfs(program_.c_str(), &mount) == 0 && (mount.f_flag & ST_NOSUID) != 0))
            return;
        constexpr std::string_view ignored = "so the loader ignores LD_PRELOAD";
        if ((status.st_mode & S_ISUID) != 0 && status.st_uid != getuid())
            return refuse(fmt::format("is set-user-ID: it runs with another user's rights, {}", ignored));
        if ((status.st_mode & S_ISGID) != 0 && (status.st_mode & S_IXGRP) != 0 && status.st_gid != getgid())
            return refuse(fmt::format("is set-group-ID: it runs with another group's rights, {}", ignored));
        if (getuid() != 0 && getxattr(program_.c_str(), "security.capability", nullptr, 0) > 0)
            refuse(fmt::format("has file capabilities, {}", ignored));
    }

    void check_sanitizers(const elf_file& file) {
        for (const sanitizer& s : sanitizers) {
            const auto is_library = [&](std::string_view needed) { return is_sanitizer_library(needed, s); };
            if (file.defined.contains(s.symbol) || file.imported.contains(s.symbol) ||
                std::ranges::any_of(file.needed, is_library)) {
                own_malloc_explained_ = true;
                return refuse(fmt::format("is built with {}, which has to be its own malloc", s.name));
            }
        }
    }

    void check_allocators(const elf_file& file) {
        if (file.defined.contains("malloc") && !own_malloc_explained_)
            refuse("has a malloc of its own, which the loader prefers to that of any library");
        for (const std::string_view function : foreign_functions)
            if (file.imported.contains(function) || file.defined.contains(function))
                note(fmt::format("also uses another allocator by its own name ({}): "
                                 "that memory is not Lowtide's",
                                 function));
        for (const std::string& library : file.needed)
            if (is_allocator_library(library))
                note(fmt::format("is linked with {}: Lowtide takes the place of its malloc", library));
    }

    const fs::path& program_;
    const elf_target& library_;
    std::vector<finding> findings_;
    bool own_malloc_explained_ = false;
};

/// What LD_PRELOAD names comes before Lowtide, which is appended to it.
void check_preload(std::string_view preload, std::vector<finding>& findings) {
    for (std::size_t end = 0; !preload.empty(); preload.remove_prefix(std::min(end + 1, preload.size()))) {
        end = std::min(preload.find_first_of(": "), preload.size());
        const fs::path entry = preload.substr(0, end);
        const std::string file = entry.filename();
        if (file.starts_with("liblowtide"))
            continue;
        const auto library =
            entry.has_parent_path() ? elf_file::read(entry, names_to_look_for) : std::nullopt;
        const auto is_library = [&](const sanitizer& s) { return is_sanitizer_library(file, s); };
        if ((library && library->defined.contains("malloc")) || is_allocator_library(file) ||
            std::ranges::any_of(sanitizers, is_library))
            findings.push_back(
                {true, fmt::format("LD_PRELOAD already names {}, whose malloc would come before "
                                   "Lowtide's",
                                   entry.string())});
    }
}

/// The words of a #! line, without the #!; none where the file has no such line.
std::vector<std::string> interpreter_line(const fs::path& script) {
    std::ifstream in(script, std::ios::binary);
    std::array<char, 2> magic{};
    std::string line;
    if (!in.read(magic.data(), magic.size()) || magic[0] != '#' || magic[1] != '!' || !std::getline(in, line))
        return {};
    std::istringstream words(line);
    return {std::istream_iterator<std::string>(words), {}};
}

/// The program that env(1) would start; empty where its arguments say something else.
std::string program_of_env(const std::vector<std::string>& words) {
    for (std::size_t i = 1; i < words.size(); ++i)
        if (words[i].front() != '-' && words[i].find('=') == std::string::npos)
            return words[i];
    return {};
}

} // namespace

std::optional<fs::path> find_program(const std::string& name) {
    if (name.find('/') != std::string::npos)
        return access(name.c_str(), F_OK) == 0 ? std::optional(fs::path(name)) : std::nullopt;
    const char* variable = std::getenv("PATH");
    std::istringstream folders(variable != nullptr ? variable : "/bin:/usr/bin");
    for (std::string folder; std::getline(folders, folder, ':');) {
        fs::path candidate = fs::path(folder.empty() ? "." : folder) / name;
        std::error_code ignored;
        if (access(candidate.c_str(), X_OK) == 0 && fs::is_regular_file(candidate, ignored))
            return candidate;
    }
    return std::nullopt;
}

fs::path follow_interpreters(fs::path program) {
    constexpr int most_the_kernel_follows = 5;
    for (int depth = 0; depth < most_the_kernel_follows; ++depth) {
        const std::vector<std::string> words = interpreter_line(program);
        if (words.empty())
            break;
        program = words.front();
        if (program.filename() != "env")
            continue;
        if (const std::string name = program_of_env(words); !name.empty())
            if (auto found = find_program(name))
                program = std::move(*found);
    }
    return program;
}

std::vector<finding> preflight(const fs::path& program, const elf_target& library, std::string_view preload) {
    std::vector<finding> findings = examination(program, library).of_program();
    check_preload(preload, findings);
    return findings;
}

} // namespace lowtide::tools
