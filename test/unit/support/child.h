// What a child of fork sees: code that runs there, and whose failed expectations are the parent's.
#pragma once

#include <functional>

namespace lowtide::test {

// The ways to make a child: libc's fork, and the system call without libc's knowledge.
enum class forking { by_libc, raw };

void in_child(const std::function<void()>& body, forking how = forking::by_libc);

} // namespace lowtide::test
