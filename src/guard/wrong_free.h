// The end of a program that freed what it must not: one clear line on standard error, then abort(3).
#pragma once

#include "slab/slab_tier.h"

namespace lowtide {

// `call` is what the program called ("free", "realloc"); `s` is the span that the pointer lies in, or null.
[[noreturn, gnu::cold]] void report_wrong_pointer(const char* call, free_error error, const void* p,
                                                  const span* s) noexcept;

} // namespace lowtide
