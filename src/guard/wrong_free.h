// The end of a program that freed what it must not: one clear line on standard error, then abort(3).
#pragma once

#include "slab/slab_tier.h"

namespace lowtide {

// `call` is what the program called ("free", "realloc"); `s` is the span that the pointer lies in, or null.
[[noreturn, gnu::cold]] void report_wrong_pointer(const char* call, free_error error, const void* p,
                                                  const span* s) noexcept;

// `p` lies in a block of a block pool.
[[noreturn, gnu::cold]] void report_pool_block(const char* call, const void* p) noexcept;

// The block at `p` has `usable` bytes, and the caller said it was got for `size`, aligned to `alignment`.
[[noreturn, gnu::cold]] void report_wrong_size(const char* call, const void* p, size_t usable,
                                               size_t alignment, size_t size) noexcept;

} // namespace lowtide
