// The last words of a program that freed what it must not.
#include "guard/wrong_free.h"

#include "support/emulated.h"

#include <csignal>
#include <gtest/gtest.h>
#include <string>

namespace lowtide::test {
namespace {

const testing::KilledBySignal aborted(SIGABRT);

// One line and nothing else. An emulator has a word to say about the signal.
std::string line(const std::string& text) {
    return "^lowtide: " + text + (emulated ? "\n" : "\n$");
}

const auto block_start = reinterpret_cast<const void*>(0x7000'0000'0000);

span a_slab_of_64() {
    span s;
    s.base = reinterpret_cast<uintptr_t>(block_start);
    s.object_size = 64;
    s.kind = span_kind::slab;
    return s;
}

span a_run_of_1_mib() {
    span s = a_slab_of_64();
    s.object_size = 1 * mebibyte;
    s.kind = span_kind::run;
    return s;
}

const void* inside(size_t offset) {
    return static_cast<const char*>(block_start) + offset;
}

TEST(wrong_free_death, of_a_freed_object_names_it_and_its_class) {
    const span s = a_slab_of_64();
    EXPECT_EXIT(report_wrong_pointer("free", free_error::double_free, inside(64), &s), aborted,
                line("double free of 0x700000000040 \\(size class 64\\)[^\n]*"));
}

TEST(wrong_free_death, of_memory_that_is_free_says_so) {
    EXPECT_EXIT(report_wrong_pointer("free", free_error::double_free, inside(0), nullptr), aborted,
                line("double free of 0x700000000000[^\n]*"));
}

TEST(wrong_free_death, of_the_inside_of_an_object_names_the_object) {
    const span s = a_slab_of_64();
    EXPECT_EXIT(report_wrong_pointer("free", free_error::interior, inside(64 + 5), &s), aborted,
                line("free of 0x700000000045, which is not the start of a block "
                     "\\(interior pointer, size class 64, block 0x700000000040\\)"));
}

TEST(wrong_free_death, of_the_inside_of_a_run_names_the_run_and_its_size) {
    const span s = a_run_of_1_mib();
    EXPECT_EXIT(report_wrong_pointer("realloc", free_error::interior, inside(16), &s), aborted,
                line("realloc of 0x700000000010, which is not the start of a block "
                     "\\(interior pointer, block 0x700000000000 of 1 MiB\\)"));
}

TEST(wrong_free_death, of_other_peoples_memory_says_that_it_is_not_ours) {
    EXPECT_EXIT(report_wrong_pointer("free", free_error::foreign, inside(0), nullptr), aborted,
                line("free of 0x700000000000: not a pointer from this allocator[^\n]*"));
}

} // namespace
} // namespace lowtide::test
