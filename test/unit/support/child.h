// What a child of fork sees: code that runs there, and whose failed expectations are the parent's.
#pragma once

#include <functional>
#include <vector>

namespace lowtide::test {

// The ways to make a child: libc's fork, with the library's handler, and the system call without libc's
// knowledge.
enum class forking { by_libc, raw };

// Those that the system supports. An emulator's kernel doesn't tell of a raw one, ThreadSanitizer doesn't
// survive it.
const std::vector<forking>& ways_to_fork();

void in_child(const std::function<void()>& body, forking how = forking::by_libc);

} // namespace lowtide::test
