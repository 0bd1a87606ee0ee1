// Tells on stderr how far long work has come: in one line that changes on a terminal, and now and then
// in a new one elsewhere. Says nothing in the first two seconds.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace lowtide::tools {

class progress {
public:
    /// `unit` is what there are `total` of: "run".
    progress(std::string unit, std::size_t total);
    ~progress();
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;

    /// Before each of them.
    void next(const std::string& what);
    /// So many will not come after all.
    void skip(std::size_t count) { total_ -= count; }
    /// A line that stays.
    void say(const std::string& line);

private:
    using clock = std::chrono::steady_clock;

    void clear();

    const std::string unit_;
    const bool terminal_;
    const clock::time_point begin_ = clock::now();
    clock::time_point told_ = begin_;
    std::size_t total_;
    std::size_t done_ = 0;
    bool shown_ = false;
};

} // namespace lowtide::tools
