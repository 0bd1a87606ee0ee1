// Can memory be read without a fault? For addresses that nothing vouches for.
#pragma once

#include <cstdint>

namespace lowtide::os {

// Is there a page at this address, a multiple of 8, that may be read? A system call.
[[nodiscard]] bool is_readable(uintptr_t address) noexcept;

} // namespace lowtide::os
