// See key_values.h.
#include "runner/key_values.h"

#include "runner/errors.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>

namespace lowtide::bench {

key_values::key_values(std::string_view text) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        const std::size_t space = std::min(line.find(' '), line.size());
        values_.emplace(line.substr(0, space), line.substr(std::min(space + 1, line.size())));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

const std::string& key_values::text(const std::string& key) const {
    const auto found = values_.find(key);
    if (found == values_.end())
        throw run_failed(fmt::format("the run did not report its {}", key));
    return found->second;
}

double key_values::number(const std::string& key) const {
    const std::string& value = text(key);
    char* end = nullptr;
    const double number = std::strtod(value.c_str(), &end);
    if (end == value.c_str() || *end != '\0' || !(number > 0))
        throw run_failed(fmt::format("the run reported '{}' as its {}", value, key));
    return number;
}

double key_values::number_if_any(const std::string& key) const {
    return values_.contains(key) ? number(key) : 0;
}

} // namespace lowtide::bench
