// The formatted print that needs no malloc.
#include "base/print.h"

#include <cerrno>
#include <climits>
#include <gtest/gtest.h>
#include <string>

namespace lowtide {
namespace {

template <class... Arguments>
std::string printed(print_format<std::type_identity_t<Arguments>...> format, const Arguments&... arguments) {
    char buffer[256];
    printer out(buffer);
    out.print(format, arguments...);
    return std::string(out.text());
}

void collect(void* into, const char* text, std::size_t size) noexcept {
    static_cast<std::string*>(into)->append(text, size).append("|");
}

TEST(print, prints_each_kind_of_argument) {
    EXPECT_EQ(printed("{} {} {} {}", "text", std::string_view("view"), 'c', true), "text view c true");
    EXPECT_EQ(printed("{} {} {}", 0, -7, 18446744073709551615u), "0 -7 18446744073709551615");
    EXPECT_EQ(printed("{}", LONG_MIN), "-9223372036854775808");
    EXPECT_EQ(printed("{}", static_cast<signed char>(-1)), "-1");
    EXPECT_EQ(printed("{} {}", reinterpret_cast<void*>(0x7f00dead), static_cast<const char*>("a")),
              "0x7f00dead a");
}

TEST(print, prints_braces_and_plain_text_as_they_are) {
    EXPECT_EQ(printed("100 % {{}} }}{{"), "100 % {} }{");
    EXPECT_EQ(printed(""), "");
    EXPECT_EQ(printed("{{{}}}", 5), "{5}");
}

TEST(print, pads_numbers_on_the_left_and_text_on_the_right) {
    EXPECT_EQ(printed("[{:5}][{:5}]", 42, "ab"), "[   42][ab   ]");
    EXPECT_EQ(printed("[{:<5}][{:>5}]", 42, "ab"), "[42   ][   ab]");
    EXPECT_EQ(printed("[{:2}]", 12345), "[12345]");
}

TEST(print, prints_hexadecimal_also_of_negative_numbers_and_in_a_width) {
    EXPECT_EQ(printed("{:x} {:>6x} {:<6x}|", 255, 0xabcu, 16), "ff    abc 10    |");
    EXPECT_EQ(printed("{:x}", -1), "ffffffffffffffff");
}

TEST(print, shows_bytes_in_the_unit_that_suits) {
    EXPECT_EQ(printed("{}", byte_count{0}), "0 B");
    EXPECT_EQ(printed("{}", byte_count{1023}), "1023 B");
    EXPECT_EQ(printed("{}", byte_count{1024}), "1 KiB");
    EXPECT_EQ(printed("{}", byte_count{1536}), "1.5 KiB");
    EXPECT_EQ(printed("{}", byte_count{(1 << 20) - 1}), "1023.9 KiB");
    EXPECT_EQ(printed("{}", byte_count{(std::uint64_t{5} << 30) + 1}), "5.0 GiB");
    EXPECT_EQ(printed("[{:>9}]", byte_count{UINT64_MAX}), "[ 15.9 EiB]");
}

TEST(print, cuts_off_what_does_not_fit_and_says_so) {
    char buffer[4];
    printer out(buffer);
    out.print("{}", 1234);
    EXPECT_FALSE(out.truncated());
    out.print("5");
    EXPECT_TRUE(out.truncated());
    EXPECT_EQ(out.text(), "1234");
}

TEST(print, hands_a_full_buffer_to_the_sink_and_the_rest_at_the_end) {
    std::string seen;
    {
        char buffer[4];
        printer out(buffer, collect, &seen);
        out.print("{}", 123456).print("{}", 789);
        EXPECT_EQ(seen, "1234|5678|");
        EXPECT_FALSE(out.truncated());
    }
    EXPECT_EQ(seen, "1234|5678|9|");
}

TEST(print, preserves_errno_whatever_the_sink_does) {
    const auto spoil = [](void*, const char*, std::size_t) noexcept { errno = EIO; };
    char buffer[2];
    errno = ENOENT;
    {
        printer out(buffer, spoil);
        out.print("more than two");
        EXPECT_EQ(errno, ENOENT);
    }
    EXPECT_EQ(errno, ENOENT);
}

} // namespace
} // namespace lowtide
