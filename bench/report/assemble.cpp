// See assemble.h.
#include "report/assemble.h"

#include <fmt/format.h>

namespace lowtide::bench {

std::string assemble(std::string page,
                     std::initializer_list<std::pair<const char*, std::string_view>> parts) {
    for (const auto& [name, text] : parts) {
        const std::string mark = fmt::format("{{{{{}}}}}", name);
        page.replace(page.find(mark), mark.size(), text);
    }
    return page;
}

std::string for_script(const std::string& json) {
    std::string safe;
    for (const char c : json)
        if (c == '<')
            safe += "\\u003c";
        else
            safe += c;
    return safe;
}

} // namespace lowtide::bench
