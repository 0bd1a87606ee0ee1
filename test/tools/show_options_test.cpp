// `lowtide options`: each option with where its value comes from.
#include "show_options.h"

#include "child.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lowtide::tools {
namespace {

using test::child;
using test::child_result;
using test::temporary_folder;

TEST(show_options, the_file_and_the_environment_are_read_as_the_library_reads_them) {
    const temporary_folder folder;
    const auto file = folder.write("lowtide.conf", "window:5\ndecay:6\n");
    const options both = options_in_effect(file, "window:7");
    EXPECT_EQ(both.window_ms, 7u);
    EXPECT_EQ(both.decay_ms, 6);
    const options neither = options_in_effect(folder.path() / "none", nullptr);
    EXPECT_EQ(neither.window_ms, options().window_ms);
}

TEST(show_options, tells_json_with_values_of_their_own_type) {
    const child_result result =
        child{{LOWTIDE_COMMAND, "options", "--json"}, {{"LOWTIDE_CONF", "cache:32K,check:true"}}, {}, "/", 0}
            .run();
    EXPECT_EQ(result.exit_code(), 0);
    const auto list = nlohmann::json::parse(result.output);
    ASSERT_EQ(list.size(), option_count);
    for (const auto& option : list) {
        EXPECT_FALSE(option.at("meaning").get<std::string>().empty());
        if (option.at("key") == "cache") {
            EXPECT_EQ(option.at("value"), 32768);
            EXPECT_EQ(option.at("default"), 65536);
            EXPECT_EQ(option.at("source"), "LOWTIDE_CONF");
        }
        if (option.at("key") == "check") {
            EXPECT_EQ(option.at("value"), true);
        }
    }
}

TEST(show_options, tells_a_person_the_value_the_range_and_the_source) {
    const child_result result =
        child{{LOWTIDE_COMMAND, "options"}, {{"LOWTIDE_CONF", "cache:32K,chekc:1"}}, {}, "/", 0}.run();
    EXPECT_EQ(result.exit_code(), 0);
    EXPECT_EQ(result.errors, "lowtide: unknown option 'chekc' (did you mean 'check'?)\n");
    for (const char* part : {"32K", "LOWTIDE_CONF", "default: 64K", "range: 0 to 1M", "range: true or false"})
        EXPECT_NE(result.output.find(part), std::string::npos) << part;
}

} // namespace
} // namespace lowtide::tools
