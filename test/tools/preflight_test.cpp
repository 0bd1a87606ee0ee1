// The pre-flight: each reason why a program would not run on Lowtide is seen in its file, and said.
#include "preflight.h"

#include "child.h"

#include <cstdlib>
#include <elf.h>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <sys/xattr.h>
#include <unistd.h>

namespace lowtide::tools {
namespace {

namespace fs = std::filesystem;
using test::temporary_folder;

fs::path fixture(const std::string& name) {
    return fs::path(LOWTIDE_FIXTURES) / name;
}

const elf_target& own_target() {
    static const elf_target target = elf_file::read(fixture("libstandin.so")).value().target;
    return target;
}

std::vector<finding> findings_of(const fs::path& program, std::string_view preload = "") {
    return preflight(follow_interpreters(program), own_target(), preload);
}

/// What the only finding says, without the program's name; empty if there is none.
std::string only(const std::vector<finding>& findings, bool fatal) {
    if (findings.empty())
        return "";
    EXPECT_EQ(findings.size(), 1u);
    EXPECT_EQ(findings[0].fatal, fatal) << findings[0].text;
    return findings[0].text.substr(findings[0].text.find(' ') + 1);
}

std::string refusal(const fs::path& program) {
    return only(findings_of(program), true);
}

std::string bytes_of(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

TEST(preflight, an_ordinary_program_has_no_findings) {
    EXPECT_EQ(refusal(fixture("show")), "");
    EXPECT_EQ(refusal("/bin/sh"), "");
    EXPECT_EQ(refusal(fixture("ubsan")), "") << "this sanitizer has no malloc";
}

TEST(preflight, a_static_program_is_refused) {
    EXPECT_EQ(refusal(fixture("static")), "is statically linked: there is no loader that could load Lowtide; "
                                          "link it with liblowtide.a instead");
    EXPECT_NE(refusal(fixture("static_pie")), "");
}

TEST(preflight, a_program_that_has_lowtide_in_it_needs_no_start) {
    if (!fs::exists(fixture("lowtide_static")))
        GTEST_SKIP() << "under a sanitizer there is no library to link";
    const std::string already =
        "is linked with liblowtide.a: it runs on Lowtide already, when it is started by itself";
    EXPECT_EQ(refusal(fixture("lowtide_static")), already);
    EXPECT_EQ(refusal(fixture("lowtide_inside")), already);
}

// The system refuses to execute it, and says why better than a guess from what is there.
TEST(preflight, a_file_that_ends_too_early_is_left_to_the_system) {
    const temporary_folder folder;
    const std::string whole = bytes_of(fixture("show"));
    for (const std::size_t size : {sizeof(Elf64_Ehdr) - 1, sizeof(Elf64_Ehdr), sizeof(Elf64_Ehdr) + 100})
        EXPECT_EQ(refusal(folder.write("short", whole.substr(0, size))), "") << size;
}

TEST(preflight, the_loader_itself_is_no_static_program) {
    const auto shell = elf_file::read("/bin/sh");
    ASSERT_TRUE(shell);
    EXPECT_EQ(refusal(shell->interpreter), "");
}

TEST(preflight, a_program_for_musl_is_refused) {
    EXPECT_EQ(refusal(fixture("musl")),
              "uses the C library musl (/lib/ld-musl-x86_64.so.1), and Lowtide needs glibc");
}

TEST(preflight, another_architecture_is_refused) {
    const temporary_folder folder;
    std::string program = bytes_of(fixture("show"));
    const std::uint16_t riscv = EM_RISCV;
    program.replace(offsetof(Elf64_Ehdr, e_machine), sizeof riscv, reinterpret_cast<const char*>(&riscv),
                    sizeof riscv);
    EXPECT_EQ(refusal(folder.write("other", program)),
              "is made for riscv, and this Lowtide for " + name_of(own_target()));
}

TEST(preflight, a_program_of_32_bits_is_refused) {
    const temporary_folder folder;
    std::string program = bytes_of(fixture("show"));
    const std::uint16_t i386 = EM_386;
    program[EI_CLASS] = ELFCLASS32;
    program.replace(offsetof(Elf32_Ehdr, e_machine), sizeof i386, reinterpret_cast<const char*>(&i386),
                    sizeof i386);
    EXPECT_EQ(refusal(folder.write("other", program)),
              "is made for i386, 32 bits, and this Lowtide for " + name_of(own_target()));
}

TEST(preflight, a_set_user_id_program_is_refused) {
    const temporary_folder folder;
    fs::path program = "/usr/bin/passwd";
    if (getuid() == 0) { // for whom only another user's program is one
        program = folder.path() / "copy";
        fs::copy_file(fixture("show"), program);
        ASSERT_EQ(chown(program.c_str(), 65534, 0), 0);
        ASSERT_EQ(chmod(program.c_str(), 04755), 0);
    }
    EXPECT_EQ(refusal(program),
              "is set-user-ID: it runs with another user's rights, so the loader ignores LD_PRELOAD");
}

TEST(preflight, a_set_group_id_program_is_refused_only_if_it_changes_the_group) {
    if (getuid() != 0)
        GTEST_SKIP() << "only root can give a file to another group";
    const temporary_folder folder;
    const fs::path program = folder.path() / "copy";
    fs::copy_file(fixture("show"), program);
    ASSERT_EQ(chmod(program.c_str(), 02755), 0);
    EXPECT_EQ(refusal(program), "");
    ASSERT_EQ(chown(program.c_str(), 0, 65534), 0);
    ASSERT_EQ(chmod(program.c_str(), 02755), 0);
    EXPECT_EQ(refusal(program),
              "is set-group-ID: it runs with another group's rights, so the loader ignores LD_PRELOAD");
}

TEST(preflight, file_capabilities_are_refused_for_those_who_gain_them) {
    // vfs_cap_data, version 2: CAP_NET_BIND_SERVICE permitted and effective.
    const std::uint32_t capabilities[] = {0x02000001, 1u << 10, 0, 0, 0};
    const temporary_folder folder;
    const fs::path program = folder.path() / "copy";
    fs::copy_file(fixture("show"), program);
    if (setxattr(program.c_str(), "security.capability", capabilities, sizeof capabilities, 0) != 0)
        GTEST_SKIP() << "only root can give a file capabilities, and not on every file system";
    EXPECT_EQ(refusal(program), "") << "root gains nothing";
    test::child command{
        {LOWTIDE_COMMAND, "run", program}, {{"LOWTIDE_LIB", fixture("libstandin.so")}}, {}, "/", 65534};
    const test::child_result result = command.run();
    EXPECT_EQ(result.exit_code(), 125);
    EXPECT_NE(result.errors.find("has file capabilities, so the loader ignores LD_PRELOAD"),
              std::string::npos)
        << result.errors;
}

TEST(preflight, a_sanitizer_is_refused_and_not_also_called_a_malloc) {
    EXPECT_EQ(refusal(fixture("asan")), "is built with AddressSanitizer, which has to be its own malloc");
    EXPECT_EQ(refusal(fixture("tsan")), "is built with ThreadSanitizer, which has to be its own malloc");
}

TEST(preflight, a_malloc_in_the_program_is_refused) {
    EXPECT_EQ(refusal(fixture("has_malloc")),
              "has a malloc of its own, which the loader prefers to that of any library");
}

TEST(preflight, another_allocator_among_the_libraries_is_only_noted) {
    const std::vector<finding> findings = findings_of(fixture("jemalloc_user"));
    ASSERT_EQ(findings.size(), 2u);
    EXPECT_FALSE(findings[0].fatal || findings[1].fatal);
    EXPECT_NE(findings[0].text.find("also uses another allocator by its own name (mallocx)"),
              std::string::npos);
    EXPECT_NE(findings[1].text.find("is linked with libjemalloc.so"), std::string::npos);
}

TEST(preflight, an_allocator_in_ld_preload_is_refused) {
    const auto with_preload = [](const std::string& preload) {
        return findings_of(fixture("show"), preload);
    };
    EXPECT_TRUE(with_preload(fixture("libstandin.so")).empty());
    EXPECT_TRUE(with_preload(" : ::/nowhere/liblowtide.so.0: ").empty());
    for (const std::string& preload :
         {fixture("libown_malloc.so").string(), std::string("libtcmalloc_minimal.so.4"),
          std::string("libasan.so.8"), fixture("libstandin.so").string() + ":libjemalloc.so.2",
          std::string("a.so b.so libmimalloc.so.2")}) {
        const std::vector<finding> findings = with_preload(preload);
        ASSERT_EQ(findings.size(), 1u) << preload;
        EXPECT_TRUE(findings[0].fatal);
        EXPECT_EQ(findings[0].text.find("LD_PRELOAD already names "), 0u);
    }
}

TEST(preflight, a_script_is_followed_to_its_interpreter) {
    const temporary_folder folder;
    constexpr fs::perms executable = fs::perms(0755);
    const fs::path script = folder.write("script", "#! " + fixture("static").string() + " -x\n", executable);
    const fs::path outer = folder.write("outer", "#!" + script.string() + "\n", executable);
    EXPECT_NE(refusal(outer).find("is statically linked"), std::string::npos);
    EXPECT_EQ(follow_interpreters(outer), fixture("static"));
    EXPECT_EQ(follow_interpreters(fixture("show")), fixture("show"));
}

TEST(preflight, a_script_is_followed_through_env) {
    const temporary_folder folder;
    const fs::path script = folder.write("script", "#!/usr/bin/env -S A=b sh -e\n", fs::perms(0755));
    EXPECT_EQ(follow_interpreters(script), find_program("sh").value());
}

TEST(preflight, a_script_that_names_itself_ends) {
    const temporary_folder folder;
    const fs::path script = folder.path() / "script";
    folder.write("script", "#!" + script.string() + "\n", fs::perms(0755));
    EXPECT_EQ(follow_interpreters(script), script);
}

TEST(preflight, a_damaged_file_is_read_without_harm) {
    const temporary_folder folder;
    const std::string whole = bytes_of(fixture("has_malloc"));
    for (const std::size_t size : {0u, 1u, 4u, 16u, 20u, 63u, 64u, 100u, 1000u})
        findings_of(folder.write("short", whole.substr(0, size)));
    findings_of(folder.write("short", whole.substr(0, whole.size() - 100)));
    std::uint32_t random = 1;
    for (int round = 0; round < 2000; ++round) {
        std::string damaged = whole;
        for (int i = 0; i < 8; ++i) {
            random = random * 1664525 + 1013904223;
            const bool in_header = i < 4;
            damaged[(random >> 8) % (in_header ? sizeof(Elf64_Ehdr) : damaged.size())] =
                static_cast<char>(random >> 3);
        }
        findings_of(folder.write("damaged", damaged));
    }
}

TEST(preflight, programs_are_found_as_execvp_finds_them) {
    EXPECT_EQ(find_program("/bin/sh"), fs::path("/bin/sh"));
    EXPECT_EQ(find_program("/no/such"), std::nullopt);
    EXPECT_EQ(find_program("no-such-program-anywhere"), std::nullopt);
    EXPECT_TRUE(fs::equivalent(find_program("sh").value(), "/bin/sh"));
}

} // namespace
} // namespace lowtide::tools
