// `lowtide trim`, `lowtide set`, `lowtide profile` and `lowtide stat`: ask a running process on Lowtide. How
// they reach it is described in src/entry/mailbox.h.
#pragma once

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

/// The account, as "json" or "openmetrics" (lowtide-stat(1)). Rights and errors as above.
std::string ask_for_account(int process, const std::string& format, double wait);

} // namespace lowtide::tools
