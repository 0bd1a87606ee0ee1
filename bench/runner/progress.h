// Tells on stderr how far a long session has come: in one line that changes on a terminal, and now and then
// in a new one elsewhere. Says nothing in the first two seconds.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace lowtide::bench {

class progress {
public:
    explicit progress(std::size_t runs);
    ~progress();
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;

    /// Before each run.
    void next(const std::string& what);
    /// So many of the expected runs will not take place after all.
    void skip(std::size_t runs) { total_ -= runs; }
    /// A line that stays.
    void say(const std::string& line);

private:
    using clock = std::chrono::steady_clock;

    void clear();

    const bool terminal_;
    const clock::time_point begin_ = clock::now();
    clock::time_point told_ = begin_;
    std::size_t total_;
    std::size_t done_ = 0;
    bool shown_ = false;
};

} // namespace lowtide::bench
