// The processes on Lowtide that `lowtide top` shows, as they are now.
#pragma once

#include "tools/live_view.h"

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace lowtide::tools {

struct process_sample {
    int id = 0;
    std::string command;
    std::uint64_t resident = 0;
    std::optional<live_counters> counters; // none: see `note`
    std::string note;                      // why there are none
    double returned_rate = 0;              // bytes a second; so below
    double resident_rate = 0;
};

class observer {
public:
    /// Only these; none: all that can be found and asked.
    explicit observer(std::vector<int> chosen) : chosen_(std::move(chosen)) {}

    /// In the order of their ids. Those that were chosen and have ended aren't in it any more.
    std::vector<process_sample> look();

private:
    using clock = std::chrono::steady_clock;
    struct watched {
        std::unique_ptr<live_view> view; // null: it can't be asked
        std::string note;
        clock::time_point since;
        // Of the last look.
        std::optional<process_sample> before;
        clock::time_point before_at;
    };

    std::set<int> find() const;
    process_sample look_at(int id, watched& one);

    std::vector<int> chosen_;
    std::map<int, watched> all_;
};

} // namespace lowtide::tools
