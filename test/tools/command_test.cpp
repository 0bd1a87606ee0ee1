// The command's own arguments.
#include "child.h"

#include <gtest/gtest.h>

namespace lowtide::tools {
namespace {

using test::child;
using test::child_result;

child_result lowtide(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), LOWTIDE_COMMAND);
    return child{arguments, {}, {}, "/", 0}.run();
}

TEST(command, helps_and_tells_its_version_on_stdout) {
    for (const auto& arguments : std::vector<std::vector<std::string>>{
             {"--help"}, {"run", "--help"}, {"doctor", "--help"}, {"options", "--help"}, {}}) {
        const child_result result = lowtide(arguments);
        EXPECT_EQ(result.exit_code(), 0);
        EXPECT_NE(result.output.find("Usage: lowtide"), std::string::npos);
        EXPECT_EQ(result.errors, "");
    }
    EXPECT_EQ(lowtide({"--version"}).output.find("lowtide "), 0u);
}

TEST(command, output_that_cannot_be_written_is_an_error) {
    for (const char* arguments : {"doctor", "options --json", "--help"}) {
        const std::string command = std::string("exec " LOWTIDE_COMMAND " ") + arguments + " >/dev/full";
        const child_result result = child{{"/bin/sh", "-c", command}, {}, {}, "/", 0}.run();
        EXPECT_EQ(result.exit_code(), 125) << arguments;
        EXPECT_EQ(result.errors.find("lowtide: "), 0u) << result.errors;
    }
}

TEST(command, refuses_what_it_does_not_know_with_125) {
    for (const auto& arguments : std::vector<std::vector<std::string>>{
             {"rnu"}, {"--frob"}, {"run"}, {"run", "--"}, {"run", "--frob", "true"}, {"doctor", "now"}}) {
        const child_result result = lowtide(arguments);
        EXPECT_EQ(result.exit_code(), 125) << arguments.front();
        EXPECT_EQ(result.output, "");
        EXPECT_EQ(result.errors.find("lowtide: "), 0u) << result.errors;
    }
}

} // namespace
} // namespace lowtide::tools
