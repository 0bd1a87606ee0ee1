// `lowtide trim` and `lowtide set`: ask a running process on Lowtide. How they reach it is described in
// src/entry/mailbox.h.
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

} // namespace lowtide::tools
