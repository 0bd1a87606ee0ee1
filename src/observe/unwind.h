// Who has called: the return addresses on a thread's own stack. For malloc's slow path, in any thread and any
// signal handler: it takes no memory, no lock and no thread-local variable, and 2 KiB of stack.
// docs/design.md, "Unwinding".
#pragma once

#include "base/units.h"

#include <cstdint>

namespace lowtide {

// The return addresses on the calling thread's stack, the innermost first, up to `most`; those within this
// library are left out (in a program linked with the archive: none are). How many. Whatever the stack looks
// like, it doesn't fault.
[[LOWTIDE_RARE]] unsigned unwind(uintptr_t* frames, unsigned most) noexcept;

} // namespace lowtide
