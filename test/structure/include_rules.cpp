// The include direction: see include_rules.h.
#include "include_rules.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <set>

namespace lowtide::test {

namespace fs = std::filesystem;

namespace {

using folders = std::set<std::string, std::less<>>;

// A tier may name itself and what is listed here. "lowtide" is the public header.
const std::map<std::string, folders, std::less<>> may_include = {
    {"src/base", {"base"}},
    {"src/os", {"base", "os"}},
    {"src/pages", {"base", "os", "pages"}},
    {"src/slab", {"base", "os", "pages", "slab"}},
    {"src/front", {"base", "os", "pages", "slab", "front"}},
    {"src/pool", {"base", "os", "pages", "slab", "front", "pool", "lowtide"}},
    {"src/guard", {"base", "os", "pages", "slab", "guard"}},
    {"src/observe", {"base", "os", "pages", "slab", "front", "observe", "lowtide"}},
    {"src/entry", {"base", "os", "pages", "slab", "front", "pool", "guard", "observe", "entry", "lowtide"}},
    {"include/lowtide", {"lowtide"}},
    {"tools", {"base", "os", "observe", "entry", "bench", "profile", "top", "lowtide"}},
    {"tools/profile", {"tools", "profile"}},
    {"tools/top", {"tools", "top"}},
};

bool is_source(const fs::path& file) {
    const std::string extension = file.extension();
    return extension == ".h" || extension == ".hpp" || extension == ".cpp" || extension == ".c" ||
           extension == ".S";
}

/// The headers of the system's own interface, which only src/os speaks to.
bool is_system_interface(const std::string& header) {
    static const folders headers = {"fcntl.h", "unistd.h", "sched.h", "syscall.h"};
    return header.starts_with("sys/") || header.starts_with("linux/") || headers.contains(header);
}

class checker {
public:
    explicit checker(const fs::path& project) : project_(project) {}

    void check(const fs::path& file) {
        const std::string folder = file.parent_path().lexically_relative(project_);
        const auto rule = may_include.find(folder);
        if (rule == may_include.end())
            return complain(file, 1, "is in a folder that the design does not know");
        std::ifstream in(file);
        int number = 0;
        for (std::string line; std::getline(in, line);)
            check_line(file, ++number, line, *rule);
    }

    std::vector<std::string> violations;

private:
    void check_line(const fs::path& file, int number, const std::string& line,
                    const std::pair<const std::string, folders>& rule) {
        static const std::regex any_include(R"(^\s*#\s*include\b.*)");
        static const std::regex plain_include(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"].*)");
        std::smatch match;
        if (!std::regex_match(line, any_include))
            return;
        if (!std::regex_match(line, match, plain_include))
            return complain(file, number, "includes by way of a macro");
        const std::string header = match[2];
        const fs::path path = header;
        const std::string first = *path.begin();
        if (path.has_parent_path() && rule.second.contains(first))
            return;
        if (match[1] == "<") {
            if (first == "lowtide")
                complain(file, number, "may not include <" + header + ">");
            else if (rule.first.starts_with("src/") && rule.first != "src/os" && is_system_interface(header))
                complain(file, number, "speaks to the system itself with <" + header + ">: only src/os does");
            return;
        }
        if (path.has_parent_path() || !fs::exists(file.parent_path() / path))
            complain(file, number, "may not include \"" + header + "\"");
    }

    void complain(const fs::path& file, int line, const std::string& what) {
        violations.push_back(file.lexically_relative(project_).string() + ":" + std::to_string(line) + ": " +
                             what);
    }

    const fs::path& project_;
};

} // namespace

std::vector<std::string> include_violations(const fs::path& project) {
    checker check(project);
    for (const char* top : {"src", "include", "tools"}) {
        if (!fs::exists(project / top))
            continue;
        for (const fs::directory_entry& entry : fs::recursive_directory_iterator(project / top))
            if (entry.is_regular_file() && is_source(entry.path()))
                check.check(entry.path());
    }
    std::ranges::sort(check.violations);
    return check.violations;
}

} // namespace lowtide::test
