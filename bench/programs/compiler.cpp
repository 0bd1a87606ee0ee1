// Compilers: they translate a large file, full of templates, to assembly. One operation is the whole of it.
#include "programs/batch.h"

#include <fmt/format.h>

namespace lowtide::bench {

namespace {

/// Every part instantiates the containers for a type of its own.
std::string source(unsigned parts) {
    std::string text = R"(#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <regex>
#include <sstream>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>
)";
    for (unsigned part = 0; part < parts; ++part)
        text += fmt::format(R"(
namespace part_{0} {{
struct item {{
    std::string name;
    std::variant<int, double, std::string> value;
    std::vector<std::shared_ptr<item>> children;
}};
std::map<std::string, std::vector<item>> index;
std::unordered_map<std::string, std::function<std::string(const item&)>> views;
std::string show(const item& shown) {{
    std::ostringstream out;
    out << shown.name << {0};
    std::visit([&](const auto& value) {{ out << value; }}, shown.value);
    for (const auto& child : shown.children)
        out << show(*child);
    return out.str();
}}
void add(item added) {{
    auto& list = index[added.name];
    list.push_back(std::move(added));
    std::sort(list.begin(), list.end(), [](const item& a, const item& b) {{ return a.name < b.name; }});
    views[list.front().name] = [](const item& one) {{ return show(one); }};
}}
}}
)",
                            part);
    return text;
}

/// `process` is the one that compiles: g++ leaves it to another program.
batch compilation(const std::string& compiler, const std::string& package, const std::string& process,
                  unsigned parts) {
    return {.program = compiler,
            .package = package,
            .arguments = {"-std=c++17", "-O1", "-S", "-o", "large.s", "large.cpp"},
            .files = {{"large.cpp", source(parts)}},
            .result = "large.s",
            .process = process};
}

} // namespace

void add_compiler(benchmark_list& list, const program_settings& settings) {
    const unsigned parts = settings.share(5);
    list.push_back(batch_benchmark({"compile/g++", "programs", "g++ -O1 translates a file full of templates"},
                                   compilation("g++", "g++", "cc1plus", parts), settings));
    list.push_back(batch_benchmark({"compile/clang++", "programs", "clang++ -O1 translates the same file"},
                                   compilation("clang++-14", "clang-14", "clang++-14", parts), settings));
}

} // namespace lowtide::bench
