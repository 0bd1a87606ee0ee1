// A compiler: g++ translates a large file, full of templates, to assembly. One operation is the whole of it.
#include "programs/witnessed.h"
#include "runner/errors.h"

#include <chrono>
#include <fmt/format.h>

namespace lowtide::bench {

namespace fs = std::filesystem;

namespace {

constexpr seconds time_limit{300};

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

class compiler final : public benchmark {
public:
    compiler(description about, unsigned parts, const program_settings& settings)
        : benchmark(std::move(about)), parts_(parts), settings_(settings), program_(find_program("g++")) {}

    std::optional<std::string> unavailable() const override {
        if (program_.empty())
            return "g++ is not installed (Debian package g++)";
        return std::nullopt;
    }

    measurement run(const allocator& allocator) override {
        const witnessed on(allocator, settings_);
        const launch what = ready(on);
        const auto begin = std::chrono::steady_clock::now();
        const ended end = settings_.processes.run(what, time_limit);
        const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
        if (!end.succeeded())
            throw run_failed(end.reason());
        measurement result = on.account_for("cc1plus", took.count(), end.usage);
        result.checksum = checksum_of(read_file(on.directory() / "large.s"));
        return result;
    }

    std::optional<call> profile(const allocator& allocator, const profiler& perf) override {
        const witnessed on(allocator, settings_);
        return on.profile("cc1plus", ready(on), perf, time_limit);
    }

private:
    launch ready(const witnessed& on) const {
        launch what = on.prepare({program_, "-std=c++17", "-O1", "-S", "-o", "large.s", "large.cpp"});
        what.directory = on.directory();
        what.variables["TMPDIR"] = on.directory();
        write_file(on.directory() / "large.cpp", source(parts_));
        return what;
    }

    unsigned parts_;
    const program_settings& settings_;
    fs::path program_;
};

} // namespace

void add_compiler(benchmark_list& list, const program_settings& settings) {
    list.push_back(std::make_unique<compiler>(
        description{"compile/g++", "programs", "g++ -O1 translates a file full of templates"},
        settings.share(5), settings));
}

} // namespace lowtide::bench
