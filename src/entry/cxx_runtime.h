// The C++ run-time library of the program. The shared library doesn't link one: it is found when it is
// needed, in whichever object has it. The static library is linked with the program's.
#pragma once

#include <cstddef>

namespace lowtide {

using new_handler = void (*)();

// The handler that std::set_new_handler installed, or null. `caller` is an address in the code that asked for
// memory: its object may have a run-time library of its own.
[[nodiscard]] new_handler current_new_handler(const void* caller) noexcept;

// Throws std::bad_alloc; where there is no run-time library to throw it, one line on standard error and
// abort(3): no caller of operator new expects null.
[[noreturn]] void throw_bad_alloc(size_t size, const void* caller);

// Can code of ours catch what is thrown? Not when the run-time library came after this one, by dlopen.
[[nodiscard]] bool can_catch() noexcept;

// The run-time library's own definition of a function that we define too, or null.
[[nodiscard]] void* runtime_definition(const char* name, const void* caller) noexcept;

} // namespace lowtide
