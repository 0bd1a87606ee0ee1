// Folding what `perf script` says into a tree of calls.
#include "runner/profile.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace lowtide::bench {
namespace {

constexpr const char* library = "/scratch/allocator-1/liblowtide.so";

/// One call a line, indented by its depth: its name, whose it is, its samples.
void write(const call& shown, std::string& text, std::size_t depth = 0) {
    static constexpr const char* origins[] = {"program", "allocator", "kernel"};
    text += fmt::format("{:{}}{} {} {}\n", "", depth, shown.name, origins[static_cast<int>(shown.from)],
                        shown.samples);
    for (const call& each : shown.callees)
        write(each, text, depth + 1);
}

std::string folded(std::string_view script) {
    std::string text;
    write(fold(script, library), text);
    return text;
}

TEST(fold, joins_what_is_the_same_from_the_outermost_frame_on) {
    EXPECT_EQ(folded("one \n"
                     "\t    7f01 operator delete (/scratch/allocator-1/liblowtide.so)\n"
                     "\t    5501 work (/bin/one)\n"
                     "\t    5500 main (/bin/one)\n"
                     "\n"
                     "one \n"
                     "\t    5502 work (/bin/one)\n"
                     "\t    5500 main (/bin/one)\n"
                     "\n"
                     "other \n"
                     "\t    5500 main (/bin/one)\n"
                     "\n"),
              "all program 3\n"
              " one program 2\n"
              "  main program 2\n"
              "   work program 2\n"
              "    operator delete allocator 1\n"
              " other program 1\n"
              "  main program 1\n");
}

TEST(fold, puts_a_frame_between_a_function_and_the_kernels) {
    EXPECT_EQ(folded("one \n"
                     "\tffffffff82000002 clear_page ([kernel.kallsyms])\n"
                     "\tffffffffc0000001 module_code ([ext4])\n"
                     "\t    5501 work (/bin/one)\n"
                     "\n"
                     "one \n"
                     "\tffffffff82000003 [unknown] ([unknown])\n"
                     "\n"),
              "all program 2\n"
              " one program 2\n"
              "  work program 1\n"
              "   [kernel] kernel 1\n"
              "    module_code kernel 1\n"
              "     clear_page kernel 1\n"
              "  [kernel] kernel 1\n"
              "   [unknown] kernel 1\n");
}

TEST(fold, leaves_out_how_a_process_or_a_thread_begins_unless_there_is_nothing_else) {
    EXPECT_EQ(folded("one \n"
                     "\t 5501 main (/bin/one)\n"
                     "\t 7f03 __libc_start_call_main (/lib/libc.so.6)\n"
                     "\t 7f02 __libc_start_main@@GLIBC_2.34 (/lib/libc.so.6)\n"
                     "\t 5500 _start (/bin/one)\n"
                     "\n"
                     "one \n"
                     "\t 5502 thread (/bin/one)\n"
                     "\t 7f05 start_thread (/lib/libc.so.6)\n"
                     "\t 7f04 __GI___clone3 (/lib/libc.so.6)\n"
                     "\n"
                     "one \n"
                     "\t 5500 _start (/bin/one)\n"
                     "\n"),
              "all program 3\n"
              " one program 3\n"
              "  main program 1\n"
              "  thread program 1\n"
              "  _start program 1\n");
}

TEST(fold, understands_odd_names_of_functions_files_and_threads) {
    EXPECT_EQ(
        folded("a b (c) \n"
               "\t 7f01 std::function<void (int; char)>::operator() (/tmp/dir (x)/lib one.so (deleted))\n"
               "\t 7f02 [unknown] (/lib/libstripped.so.1)\n"
               "\t 7f03 [unknown] ([unknown])\n"
               "\t 7f04 mix<(lowtide::(anonymous namespace)::written)1> (/bin/one)\n"
               "\t 7f05 __vdso_clock_gettime ([vdso])\n"
               "\t 7f06 \"quoted\" </script> \xff (inlined)\n"
               "\n"),
        "all program 1\n"
        " a b (c) program 1\n"
        "  \"quoted\" </script> \xff program 1\n"
        "   __vdso_clock_gettime program 1\n"
        "    mix<(lowtide::(anonymous namespace)::written)1> program 1\n"
        "     [unknown] program 1\n"
        "      [libstripped.so.1] program 1\n"
        "       std::function<void (int; char)>::operator() program 1\n");
}

TEST(fold, does_not_count_a_sample_that_was_cut_off) {
    const std::string script = "one \n"
                               "\t 5502 work (/bin/one)\n"
                               "\t 5501 main (/bin/one)\n"
                               "\n";
    const std::string once = "all program 1\n one program 1\n  main program 1\n   work program 1\n";
    EXPECT_EQ(folded(script), once);
    for (std::size_t length = 0; length < script.size(); ++length) {
        EXPECT_EQ(folded(script.substr(0, length)), "all program 0\n") << length;
        EXPECT_EQ(folded(script + script.substr(0, length)), once) << length;
    }
}

TEST(fold, counts_a_sample_without_callers_for_its_thread) {
    EXPECT_EQ(folded("one \n\n\n\n"), "all program 1\n one program 1\n");
}

TEST(fold, passes_over_lines_that_it_does_not_know) {
    EXPECT_EQ(folded("\n"
                     "\t 5500 frame_of_nobody (/bin/one)\n"
                     "\n"
                     "one \n"
                     "\t nothing like an address\n"
                     "\t 5501\n"
                     "\t\n"
                     "\t 5502 main\n"
                     "\n"),
              "all program 1\n"
              " one program 1\n"
              "  main program 1\n");
}

} // namespace
} // namespace lowtide::bench
