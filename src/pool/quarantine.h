// Memory of guarded regions: pages of its own, and when it is freed its addresses stay taken and inaccessible
// for as long as there is room, so that whoever still uses it is stopped there.
//
// Owner: the process; one lock guards the queue, a leaf. Invariant: what is in the queue has no memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lowtide {

class ceiling;

// What limits the process's memory, this too. Null: nothing does.
inline constinit ceiling* guarded_ceiling = nullptr;

// Zeroed memory of at least `bytes`, whole pages, at an address aligned to `alignment` (a power of two). 0
// when there is none.
[[nodiscard, gnu::cold]] uintptr_t map_guarded(size_t bytes, size_t alignment) noexcept;

// `bytes` as it was mapped.
[[gnu::cold]] void retire_guarded(uintptr_t base, size_t bytes) noexcept;

} // namespace lowtide
