// The environment, also before libc has set `environ` (the first calls come from the dynamic linker).
#pragma once

#include <cstddef>
#include <string_view>

namespace lowtide::os {

// Does the program run with more rights than who started it (AT_SECURE, getauxval(3))?
bool is_secure() noexcept;

// Calls use(value) if the variable is set. Nothing under AT_SECURE: the environment isn't the program's
// friend there.
void with_variable(std::string_view name, void (*use)(void* context, std::string_view value) noexcept,
                   void* context) noexcept;

} // namespace lowtide::os
