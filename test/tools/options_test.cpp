// The options' parser: what it takes, what it refuses, and what it says then.
#include "base/options.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace lowtide {
namespace {

struct parsed {
    options values;
    std::vector<std::string> warnings;

    parsed& parse(std::string_view text, option_source source = option_source::environment) {
        const auto keep = [](void* into, std::string_view line) noexcept {
            static_cast<std::vector<std::string>*>(into)->emplace_back(line);
        };
        values.parse(text, source, {keep, &warnings});
        return *this;
    }

    std::string warning() const {
        return warnings.size() == 1 ? warnings[0] : std::to_string(warnings.size());
    }
};

parsed parse(std::string_view text) {
    return parsed().parse(text);
}

option_source source_of(const options& o, std::string_view key) {
    for (std::size_t i = 0; i < option_count; ++i)
        if (option_table[i].key.view() == key)
            return o.sources[i];
    ADD_FAILURE() << "no option " << key;
    return option_source::builtin;
}

TEST(options, defaults_are_in_range_and_come_from_nowhere) {
    const options defaults;
    for (const option_description& option : option_table) {
        EXPECT_GE(option.load(defaults), option.min) << option.key.view();
        EXPECT_LE(option.load(defaults), option.max) << option.key.view();
        EXPECT_EQ(source_of(defaults, option.key.view()), option_source::builtin);
    }
}

TEST(options, each_option_can_be_set_to_both_ends_of_its_range) {
    for (const option_description& option : option_table)
        for (const std::int64_t end : {option.min, option.max}) {
            const std::string text =
                std::string(option.key.view()) + ":" + std::string(option_text(option, end).view());
            const parsed result = parse(text);
            EXPECT_TRUE(result.warnings.empty()) << text;
            EXPECT_EQ(option.load(result.values), end) << text;
            EXPECT_EQ(source_of(result.values, option.key.view()), option_source::environment);
        }
}

TEST(options, reads_every_field) {
    const parsed result =
        parse("dirty_cap:1M,dirty_share:4,window:5,decay:-1,cache:0,huge:1g,check:true,rseq:off");
    EXPECT_TRUE(result.warnings.empty());
    EXPECT_EQ(result.values.dirty_cap, 1u << 20);
    EXPECT_EQ(result.values.dirty_share, 4u);
    EXPECT_EQ(result.values.window_ms, 5u);
    EXPECT_EQ(result.values.decay_ms, -1);
    EXPECT_EQ(result.values.cache_bytes, 0u);
    EXPECT_EQ(result.values.huge_bytes, 1u << 30);
    EXPECT_TRUE(result.values.check);
    EXPECT_FALSE(result.values.rseq);
}

TEST(options, a_file_has_lines_comments_and_blanks) {
    const parsed result =
        parse("# tide\n\n  window : 7 ms-not # no\r\n\twindow : 8\t\r\ncheck:yes,,rseq:0 # x:1\n,");
    EXPECT_EQ(result.warning(),
              "lowtide: option 'window': '7 ms-not' is not a time in ms (range 0 to 3600000); "
              "using default 1000");
    EXPECT_EQ(result.values.window_ms, 8u);
    EXPECT_TRUE(result.values.check);
    EXPECT_FALSE(result.values.rseq);
}

TEST(options, the_environment_counts_above_the_file) {
    parsed result;
    result.parse("window:5,decay:6", option_source::file).parse("window:7");
    EXPECT_EQ(result.values.window_ms, 7u);
    EXPECT_EQ(source_of(result.values, "window"), option_source::environment);
    EXPECT_EQ(source_of(result.values, "decay"), option_source::file);
    EXPECT_EQ(source_of(result.values, "huge"), option_source::builtin);
    EXPECT_TRUE(result.warnings.empty());
}

TEST(options, an_unknown_key_is_answered_with_the_nearest_name) {
    EXPECT_EQ(parse("cahce:1").warning(), "lowtide: unknown option 'cahce' (did you mean 'cache'?)");
    EXPECT_EQ(parse("DIRTY-CAP:1").warning(),
              "lowtide: unknown option 'DIRTY-CAP' (did you mean 'dirty_cap'?)");
    EXPECT_EQ(parse("windows:1").warning(), "lowtide: unknown option 'windows' (did you mean 'window'?)");
    EXPECT_EQ(parse("zzz:1").warning(), "lowtide: unknown option 'zzz' ('lowtide options' lists them)");
    EXPECT_EQ(parse(":1").warning(), "lowtide: unknown option '' ('lowtide options' lists them)");
}

TEST(options, an_entry_without_a_value_is_refused) {
    EXPECT_EQ(parse("check").warning(), "lowtide: 'check' in LOWTIDE_CONF is not of the form key:value");
    EXPECT_EQ(parse("check:").warning(),
              "lowtide: option 'check': '' is not true or false; using default false");
    EXPECT_EQ(
        parse("cache:").warning(),
        "lowtide: option 'cache': '' is not a size in bytes, such as 64K (range 0 to 1M); using default 64K");
}

TEST(options, a_bad_number_is_refused_and_the_default_kept) {
    for (const char* value : {"abc", "5x", "0x10", "1.5", "+5", "--1", "-", "K", "5KK", "5 5", "5K"}) {
        const parsed result = parse(std::string("window:") + value);
        EXPECT_EQ(result.warnings.size(), 1u) << value;
        EXPECT_EQ(result.values.window_ms, 1000u) << value;
        EXPECT_EQ(source_of(result.values, "window"), option_source::builtin) << value;
    }
}

TEST(options, a_number_out_of_range_is_refused_however_long_it_is) {
    EXPECT_EQ(parse("huge:1M").warning(),
              "lowtide: option 'huge': '1M' is out of range (range 4M to 16T); using default 64M");
    EXPECT_EQ(parse("decay:-2").warning(),
              "lowtide: option 'decay': '-2' is out of range (range -1 to 3600000); using default 1000");
    for (const char* value : {"9223372036854775808", "18446744073709551617", "99999999999999999999999999T",
                              "16777217T", "9007199254740992K", "-9223372036854775808K", "-1"}) {
        const parsed result = parse(std::string("dirty_cap:") + value);
        EXPECT_NE(result.warning().find("is out of range"), std::string::npos) << value;
        EXPECT_EQ(result.values.dirty_cap, options().dirty_cap) << value;
    }
}

TEST(options, a_bad_value_keeps_the_one_before) {
    parsed result;
    result.parse("window:5", option_source::file).parse("window:none");
    EXPECT_EQ(result.warning(), "lowtide: option 'window': 'none' is not a time in ms (range 0 to 3600000); "
                                "using the value before, 5");
    EXPECT_EQ(source_of(result.values, "window"), option_source::file);
}

TEST(options, the_last_of_several_counts_and_is_warned_of) {
    const parsed result = parse("cache:1K,cache:2K");
    EXPECT_EQ(result.values.cache_bytes, 2048u);
    EXPECT_EQ(result.warning(),
              "lowtide: option 'cache' is given more than once in LOWTIDE_CONF; the last one counts, 2K");
}

TEST(options, too_long_a_text_is_ignored_as_a_whole) {
    std::string text = "window:5\n" + std::string(max_option_text, '#');
    const parsed too_long = parse(text);
    EXPECT_EQ(too_long.warning(), "lowtide: LOWTIDE_CONF is longer than 8192 bytes and is ignored");
    EXPECT_EQ(too_long.values.window_ms, 1000u);
    text.resize(max_option_text);
    EXPECT_EQ(parse(text).values.window_ms, 5u);
}

TEST(options, a_warning_is_one_short_printable_line) {
    const parsed result =
        parse("\x1b[31m\x01\xff" + std::string(4000, 'y') + ":1,window:\x1b" + std::string(4000, '9'));
    ASSERT_EQ(result.warnings.size(), 2u);
    for (const std::string& line : result.warnings) {
        EXPECT_LT(line.size(), 200u);
        EXPECT_TRUE(std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c <= '~'; }))
            << line;
        EXPECT_NE(line.find("..."), std::string::npos);
    }
}

TEST(options, any_bytes_leave_every_field_in_its_range) {
    std::uint32_t random = 20261121;
    const std::string_view pieces[] = {"window",
                                       "decay",
                                       "cache",
                                       "huge",
                                       "check",
                                       ":",
                                       ",",
                                       "\n",
                                       "-",
                                       "#",
                                       "9",
                                       "99999",
                                       "K",
                                       "T",
                                       "true",
                                       " ",
                                       std::string_view("\0", 1)};
    for (int round = 0; round < 20000; ++round) {
        std::string text;
        for (int piece = 0; piece < 12; ++piece) {
            random = random * 1664525 + 1013904223;
            text += pieces[(random >> 16) % std::size(pieces)];
        }
        const parsed result = parse(text);
        for (const option_description& option : option_table) {
            ASSERT_GE(option.load(result.values), option.min) << text;
            ASSERT_LE(option.load(result.values), option.max) << text;
        }
    }
}

TEST(options, a_value_is_shown_as_it_would_be_written) {
    const auto text = [](option_type type, std::int64_t value) {
        return std::string(option_text(type, value).view());
    };
    EXPECT_EQ(text(option_type::size, 0), "0");
    EXPECT_EQ(text(option_type::size, 1000), "1000");
    EXPECT_EQ(text(option_type::size, 1536 * 1024), "1536K");
    EXPECT_EQ(text(option_type::size, std::int64_t{16} << 40), "16T");
    EXPECT_EQ(text(option_type::time_ms, -1), "-1");
    EXPECT_EQ(text(option_type::count, 1024), "1024");
    EXPECT_EQ(text(option_type::boolean, 1), "true");
    for (const option_description& option : option_table)
        if (option.key.view() == "background") {
            EXPECT_EQ(option_text(option, 0).view(), "never");
            EXPECT_EQ(option_text(option, 2).view(), "always");
            EXPECT_EQ(option_text(option, 3).view(), "");
        }
}

TEST(options, a_choice_is_one_of_its_words) {
    EXPECT_EQ(parse("background:never").values.background, background_use::never);
    EXPECT_EQ(parse("background: AUTO").values.background, background_use::automatic);
    EXPECT_EQ(parse("background:always").values.background, background_use::always);
    for (const char* wrong : {"background:", "background:1", "background:nev", "background:never auto"}) {
        const parsed result = parse(wrong);
        ASSERT_EQ(result.warnings.size(), 1u) << wrong;
        EXPECT_NE(result.warnings[0].find("is not one of never auto always; using default auto"),
                  std::string::npos)
            << result.warnings[0];
        EXPECT_EQ(result.values.background, background_use::automatic);
    }
}

} // namespace
} // namespace lowtide
