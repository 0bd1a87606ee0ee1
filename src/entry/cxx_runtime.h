// The C++ run-time library of the program, if it has one: found when it is needed, never linked.
#pragma once

namespace lowtide {

using new_handler = void (*)();

// The handler that std::set_new_handler installed, or null.
[[nodiscard]] new_handler current_new_handler() noexcept;

// Throws std::bad_alloc. Returns only when there is no C++ run-time library in the process.
void throw_bad_alloc();

} // namespace lowtide
