// The memory that the program itself may have pointers in: everything that it may write.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lowtide::os {

// Calls visit(begin, end) for each mapping of /proc/self/maps that can be read and written; of the stack that
// `stack` lies in only what is in use, from there on. False when that can't be read.
using memory_visitor = void (*)(void* context, uintptr_t begin, uintptr_t end) noexcept;
[[nodiscard, gnu::cold]] bool for_each_writable_mapping(uintptr_t stack, memory_visitor visit,
                                                        void* context) noexcept;

// Where this library's own data are, if they are apart from the program's.
struct memory_range {
    uintptr_t begin = 0;
    uintptr_t end = 0;
};
[[nodiscard, gnu::cold]] memory_range own_data() noexcept;

} // namespace lowtide::os
