// `lowtide doctor`: what this machine is like, and what that means for Lowtide.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lowtide::tools {

struct fact {
    std::string key;
    std::string value; // "unknown" where the machine does not say
    std::string meaning;
};

/// `root` is "/", or a made-up tree in a test: /proc and /sys are looked up below it.
std::vector<fact> examine_machine(const std::filesystem::path& root);

void print_facts(const std::vector<fact>& facts, bool json);

} // namespace lowtide::tools
