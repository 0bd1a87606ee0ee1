// The manual pages: they say what the sources say, and nothing in them is malformed.
#include "base/options.h"

#include "child.h"

#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <map>
#include <regex>

namespace lowtide::test {
namespace {

namespace fs = std::filesystem;

const fs::path manual = LOWTIDE_PROJECT "/docs/man";

std::string text_of(const fs::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
}

TEST(manual, lists_exactly_the_options_with_their_defaults) {
    std::map<std::string, std::string> listed;
    const std::string page = text_of(manual / "lowtide.conf.5");
    const std::regex item(R"(\.It Sy (\w+) : Ns (\S+))");
    for (std::sregex_iterator at(page.begin(), page.end(), item), end; at != end; ++at)
        listed[(*at)[1]] = (*at)[2];
    std::map<std::string, std::string> expected;
    for (const option_description& option : option_table)
        expected[std::string(option.key.view())] = option_text(option, option.load(options{})).view();
    EXPECT_EQ(listed, expected);
}

TEST(manual, says_how_long_a_text_may_be) {
    const std::string limit = "more than " + std::to_string(max_option_text) + " bytes";
    EXPECT_NE(text_of(manual / "lowtide.conf.5").find(limit), std::string::npos);
}

TEST(manual, every_page_is_well_formed_and_refers_to_pages_that_exist) {
    int pages = 0;
    for (const fs::directory_entry& page : fs::directory_iterator(manual)) {
        ++pages;
        const child_result formatted =
            child{
                {"/usr/bin/groff", "-mdoc", "-Tutf8", "-rLL=110n", "-ww", "-z", page.path()}, {}, {}, "/", 0}
                .run();
        EXPECT_EQ(formatted.exit_code(), 0) << page.path();
        EXPECT_EQ(formatted.errors, "") << page.path();
        const child_result checked =
            child{{"/usr/bin/mandoc", "-Tlint", "-Wwarning", page.path()}, {}, {}, "/", 0}.run();
        EXPECT_EQ(checked.output, "") << page.path();
        const std::string text = text_of(page.path());
        const std::regex reference(R"(\.Xr (lowtide\S*) (\d))");
        for (std::sregex_iterator at(text.begin(), text.end(), reference), end; at != end; ++at)
            EXPECT_TRUE(fs::exists(manual / ((*at)[1].str() + "." + (*at)[2].str())))
                << page.path() << (*at)[0];
    }
    EXPECT_GE(pages, 6);
}

} // namespace
} // namespace lowtide::test
