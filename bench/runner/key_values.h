// What lowtide-workloads prints: one "key value" a line.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace lowtide::bench {

/// Every look-up throws run_failed if the key is not there; number() also if it is not a number above zero.
class key_values {
public:
    explicit key_values(std::string_view text);

    const std::string& text(const std::string& key) const;
    double number(const std::string& key) const;
    /// 0 if the key is not there.
    double number_if_any(const std::string& key) const;

private:
    std::map<std::string, std::string> values_;
};

} // namespace lowtide::bench
