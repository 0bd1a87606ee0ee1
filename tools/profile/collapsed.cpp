// The collapsed form: see writers.h.
#include "profile/writers.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

namespace lowtide::tools {

std::string write_collapsed(const report& of) {
    std::string text;
    for (const folded_stack& stack : of.folded.stacks) {
        for (auto at = stack.frames.rbegin(); at != stack.frames.rend(); ++at) {
            std::string name = of.folded.frames[*at].function;
            std::ranges::replace(name, ';', ':'); // which separates them
            std::ranges::replace(name, '\n', ' ');
            text.append(at == stack.frames.rbegin() ? "" : ";").append(name);
        }
        if (of.folded.compared)
            fmt::format_to(std::back_inserter(text), " {}", stack.before[of.shown]);
        fmt::format_to(std::back_inserter(text), " {}\n", stack.after[of.shown]);
    }
    return text;
}

} // namespace lowtide::tools
