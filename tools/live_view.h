// The counters of a running process, live: src/observe/live_page.h.
#pragma once

#include "observe/live_page.h"

#include <memory>
#include <optional>
#include <string>

namespace lowtide::tools {

/// A process's counters, as long as it lives and this object is asked now and then.
class live_view {
public:
    /// Asks for them. Throws user_error if the process isn't there or may not be asked.
    explicit live_view(int process);
    ~live_view();
    live_view(const live_view&) = delete;
    live_view& operator=(const live_view&) = delete;

    /// The newest ones; none if it hasn't answered yet. Asks again before the time is over.
    std::optional<live_counters> read();
    bool has_ended() const;
    /// Why it hasn't answered, most likely.
    std::string silence() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

} // namespace lowtide::tools
