// packaging/packages.txt: every line can be read by the script that installs them.
#include <fstream>
#include <gtest/gtest.h>
#include <regex>
#include <set>

namespace {

TEST(packages, every_line_names_a_package_a_group_and_a_reason) {
    const std::regex line_form(
        R"(([a-z0-9][a-z0-9+.:-]+)\s+# group: (build|test|bench|programs|bench-programs))"
        R"((\|(build|test|bench|programs|bench-programs))*, \S.*)");
    std::ifstream in(LOWTIDE_PROJECT "/packaging/packages.txt");
    std::set<std::string> packages;
    for (std::string line; std::getline(in, line);) {
        if (line.empty() || line.front() == '#')
            continue;
        std::smatch match;
        ASSERT_TRUE(std::regex_match(line, match, line_form)) << line;
        EXPECT_TRUE(packages.insert(match[1]).second)
            << match[1] << " is listed twice: join the groups with |";
    }
    EXPECT_TRUE(packages.contains("cmake"));
}

} // namespace
