// The stack as this library sees it, and as backtrace(3) does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lowtide::test {

inline constexpr unsigned most_frames = 128;

// Takes both here and says what is different; nothing if they are the same. Of the function itself only that
// it is there can be compared. Async-signal-safe: the words are made by difference().
void compare_stacks() noexcept;

// Of the last comparison.
std::string difference();
std::vector<uintptr_t> last_stack();

} // namespace lowtide::test
