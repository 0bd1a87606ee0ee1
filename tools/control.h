// `lowtide trim`, `lowtide set`, `lowtide profile` and `lowtide stat`: ask a running process on Lowtide. How they reach it is
// described in src/entry/mailbox.h.
#pragma once

#include "observe/live_page.h"

#include <memory>
#include <optional>
#include <string>

namespace lowtide::tools {

struct control_request {
    int process = 0;
    std::string options; // of `set`: key:value,…; empty for `trim`
    double wait = 2;     // seconds for the answer
    bool json = false;
};

/// Prints what the process answered. Throws user_error when it isn't there, may not be asked, doesn't answer
/// or refuses.
void control(const control_request& request);

/// The raw profile that the process answers with. As root of another user's process, this one has that user's
/// rights afterwards. Throws user_error as above.
std::string ask_for_profile(int process, double wait);

/// The account, as "json" or "openmetrics" (docs/account.md). Rights and errors as above.
std::string ask_for_account(int process, const std::string& format, double wait);

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
