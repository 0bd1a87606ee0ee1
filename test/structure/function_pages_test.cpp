// The manual pages of section 3: every function of the headers for C has one, which declares it as the header
// does, and the programs in them work.
#include "child.h"

#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <map>
#include <regex>
#include <set>

namespace lowtide::test {
namespace {

namespace fs = std::filesystem;

const fs::path manual = LOWTIDE_PROJECT "/docs/man";
const fs::path headers = LOWTIDE_PROJECT "/include/lowtide";

std::string text_of(const fs::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<fs::path> files_in(const fs::path& folder, std::string_view extension) {
    std::vector<fs::path> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder))
        if (entry.path().extension() == extension)
            files.push_back(entry.path());
    return files;
}

std::string without_spaces(const std::string& text) {
    return std::regex_replace(text, std::regex(R"(\s+)"), "");
}

/// The lines from `.Sh NAME` up to the next section.
std::string section(const std::string& page, const std::string& name) {
    const auto begin = page.find(".Sh " + name + "\n");
    return begin == page.npos ? "" : page.substr(begin, page.find("\n.Sh ", begin) - begin + 1);
}

std::set<std::string> matches(const std::string& text, const char* expression) {
    const std::regex form(expression);
    std::set<std::string> found;
    for (std::sregex_iterator at(text.begin(), text.end(), form), end; at != end; ++at)
        found.insert((*at)[1]);
    return found;
}

/// What a synopsis declares, by the function's name and without spaces: "type name(argument,argument)".
std::map<std::string, std::string> declarations(const std::string& synopsis) {
    std::map<std::string, std::string> found;
    std::istringstream lines(synopsis);
    std::string type;
    std::string name;
    std::string arguments;
    const std::regex macro(R"~(\.(F[toac]) ?"?([^"]*)"?)~");
    std::smatch match;
    for (std::string line; std::getline(lines, line);) {
        if (!std::regex_match(line, match, macro))
            continue;
        if (match[1] == "Ft")
            type = match[2];
        else if (match[1] == "Fo")
            name = match[2];
        else if (match[1] == "Fa")
            arguments += (arguments.empty() ? "" : ",") + match[2].str();
        else {
            found[name] = without_spaces(type + name + "(" + arguments + ")");
            arguments.clear();
        }
    }
    return found;
}

TEST(function_pages, every_exported_function_has_a_page) {
    std::set<std::string> described;
    for (const fs::path& page : files_in(manual, ".3"))
        described.merge(matches(section(text_of(page), "NAME"), R"(\.Nm (lowtide_\w+))"));
    const std::set<std::string> exported = matches(text_of(LOWTIDE_GOLDEN_EXPORTS), R"((lowtide_\w+))");
    ASSERT_GT(exported.size(), 40u);
    for (const std::string& name : exported)
        EXPECT_TRUE(described.contains(name)) << "docs/man: no page of section 3 has .Nm " << name;
}

TEST(function_pages, declare_what_their_header_declares) {
    int pages = 0;
    for (const fs::path& page : files_in(manual, ".3")) {
        const std::string text = text_of(page);
        const std::string synopsis = section(text, "SYNOPSIS");
        const std::set<std::string> included = matches(synopsis, R"(\.In lowtide/(\S+))");
        ASSERT_EQ(included.size(), 1u) << page;
        const std::string header = text_of(headers / *included.begin());
        const std::string code = std::regex_replace(header, std::regex(R"(/\*[^*]*(\*[^/][^*]*)*\*/)"), "");
        const std::string code_without_spaces = without_spaces(code);

        const auto declared = declarations(synopsis);
        std::set<std::string> names;
        for (const auto& [name, declaration] : declared) {
            names.insert(name);
            EXPECT_NE(code_without_spaces.find(declaration), std::string::npos) << page << declaration;
        }
        EXPECT_EQ(names, matches(section(text, "NAME"), R"(\.Nm (lowtide_\w+))")) << page;
        // A declaration begins its line with the type; a call, in an inline function, is indented.
        for (const std::string& name : matches(code, R"((?:^|\n)\w[^\n(]*\b(lowtide_\w+)\()"))
            EXPECT_TRUE(names.contains(name)) << page << ": SYNOPSIS has no " << name;
        ++pages;
    }
    EXPECT_GE(pages, 4);
}

TEST(function_pages, have_the_same_sections) {
    for (const fs::path& page : files_in(manual, ".3"))
        for (const char* name : {"NAME", "LIBRARY", "SYNOPSIS", "DESCRIPTION", "RETURN VALUES", "EXAMPLES",
                                 "ERRORS", "ATTRIBUTES", "NOTES", "SEE ALSO"})
            EXPECT_NE(section(text_of(page), name), "") << page << ": " << name;
}

TEST(function_pages, have_examples_that_compile_and_succeed) {
    const temporary_folder folder;
    const std::string library_folder = fs::path(LOWTIDE_LIBRARY).parent_path();
    const std::regex program_form(R"(\n\.Bd -literal\n([\s\S]*?)\n\.Ed\n)");
    for (const fs::path& page : files_in(manual, ".3")) {
        const std::string examples = section(text_of(page), "EXAMPLES");
        std::smatch match;
        ASSERT_TRUE(std::regex_search(examples, match, program_form)) << page;
        const std::string program = std::regex_replace(match[1].str(), std::regex(R"(\\e)"), "\\");
        const fs::path source = folder.write(page.stem().string() + ".c", program + "\n");
        const fs::path executable = folder.path() / page.stem();
        const child_result compiled =
            child{{LOWTIDE_C_COMPILER, "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                   "-I" LOWTIDE_PROJECT "/include", source, "-o", executable, "-L" + library_folder,
                   "-llowtide", "-Wl,-rpath," + library_folder},
                  {},
                  {},
                  "/",
                  0}
                .run();
        ASSERT_EQ(compiled.exit_code(), 0) << page << compiled.errors;
        const child_result ran = child{{executable}, {}, {}, "/", 0}.run();
        EXPECT_EQ(ran.exit_code(), 0) << page << ran.errors;
        EXPECT_NE(ran.output, "") << page;
    }
}

} // namespace
} // namespace lowtide::test
