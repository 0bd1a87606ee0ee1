// Address space: reserve, commit, purge, release, move. Sizes are bytes and multiples of the page size; no
// function touches errno. The only place that maps memory.
#pragma once

#include "base/units.h"

#include <cstddef>
#include <cstdint>

namespace lowtide::os {

// Bytes of a page of this system (4, 16 or 64 KiB).
size_t page_size() noexcept;

// Address space without memory, aligned to `alignment` (a power of two). 0 when there is none.
uintptr_t reserve(size_t bytes, size_t alignment) noexcept;

// The same, but what is aligned is the address `header` bytes (a multiple of the page size) behind the
// result.
uintptr_t reserve_behind(size_t header, size_t bytes, size_t alignment) noexcept;

// Maps exactly [base, base+bytes), zeroed, readable and writable, if nothing else is there.
enum class claimed : uint8_t {
    yes,
    taken,   // something is there
    refused, // no memory, or a limit: another place will do no better
};
[[LOWTIDE_RARE]] claimed claim(uintptr_t base, size_t bytes) noexcept;

// Makes reserved space readable and writable. False when the system refuses (limits, overcommit).
bool commit(uintptr_t base, size_t bytes) noexcept;

// Takes memory and access away but keeps the address space.
[[LOWTIDE_RARE]] void decommit(uintptr_t base, size_t bytes) noexcept;

// Gives the pages back; they read as zeros at the next touch. False when the kernel refused: then the content
// is what it was.
bool purge(uintptr_t base, size_t bytes) noexcept;

// Has a huge page at once for [base, base+bytes), one aligned block in which no page is in memory yet.
struct huge_page_fill {
    bool done;       // false: the system doesn't give one
    uint32_t cpu_us; // processor time of this thread that it took
};
[[LOWTIDE_RARE]] huge_page_fill fill_with_huge_page(uintptr_t base, size_t bytes) noexcept;

// Faults all of it in that isn't in memory (MADV_POPULATE_WRITE, Linux 5.14). False when the system can't.
[[LOWTIDE_RARE]] bool populate(uintptr_t base, size_t bytes) noexcept;

// Makes a huge page of the small ones that are in memory in [base, base+bytes), one aligned block; pages that
// aren't come into memory by it (MADV_COLLAPSE, Linux 6.1). Not where the administrator wants none.
[[LOWTIDE_RARE]] bool collapse(uintptr_t base, size_t bytes) noexcept;

// From now on the kernel may have huge pages here, at first touch, where it gives any.
[[LOWTIDE_RARE]] void allow_huge_pages(uintptr_t base, size_t bytes) noexcept;

// New memory here comes from this NUMA node if it has any (mbind(2), MPOL_PREFERRED); node -1: as the process
// has it. A hint: where the system has no such thing, nothing happens.
[[LOWTIDE_RARE]] void prefer_node(uintptr_t base, size_t bytes, int node) noexcept;

// From now on there is no huge page here, nor does the kernel make one.
void no_more_huge_pages(uintptr_t base, size_t bytes) noexcept;

// A part of a huge page has gone back, and `page` is one of those that stayed: the kernel makes small pages
// of them. Until it does the whole huge page is in memory, and is charged to the control group, though the
// process doesn't have it any more (resident, proc(5)). By MADV_COLD (Linux 5.4) on that one page.
[[LOWTIDE_RARE]] void split_huge_page(uintptr_t page) noexcept;

// Does the kernel give huge pages to whoever doesn't ask for them (transparent_hugepage/enabled is `always`)?
// It may then also make one of a block of which a single page is in memory (khugepaged). Looked up once.
[[nodiscard, LOWTIDE_RARE]] bool huge_pages_come_unasked() noexcept;

// How many pages of it are in memory and no other process's, as those are that a child of fork still shares.
// At most 2 MiB. 0 where the system doesn't say.
[[nodiscard, LOWTIDE_RARE]] size_t count_own_pages(uintptr_t base, size_t bytes) noexcept;

// Is every page of it in memory? At most 4 MiB. False when the system doesn't say.
[[LOWTIDE_RARE]] bool all_in_memory(uintptr_t base, size_t bytes) noexcept;

// Zeroes large memory, by writing or, where little of it is resident, by purging.
[[LOWTIDE_RARE]] void zero(void* at, size_t bytes) noexcept;

// Gives the address space back. False when the kernel can't: a hole needs one mapping more, and their
// number is limited (vm.max_map_count).
bool release(uintptr_t base, size_t bytes) noexcept;

// Zeroed memory, readable and writable, aligned to `alignment`. 0 when there is none.
uintptr_t map(size_t bytes, size_t alignment) noexcept;

// Grows or shrinks a mapping where it is. False when there is no room behind it.
[[LOWTIDE_RARE]] bool resize_in_place(uintptr_t base, size_t old_bytes, size_t new_bytes) noexcept;

// Moves the pages of a mapping to `target`, which is reserved for it, and grows it. False on failure; then
// the mapping is where it was and the target is released.
[[LOWTIDE_RARE]] bool move(uintptr_t base, size_t old_bytes, uintptr_t target, size_t new_bytes) noexcept;

// Makes a file at least so long, and maps that part of it, shared, for reading and writing; a child of fork
// doesn't have it. 0 when that can't be done.
[[gnu::cold]] uintptr_t share_file(int fd, size_t offset, size_t bytes) noexcept;

// Asks the kernel to zero [base, base+bytes) in a child of fork (MADV_WIPEONFORK, Linux 4.14). False where it
// can't.
bool wipe_on_fork(uintptr_t base, size_t bytes) noexcept;

} // namespace lowtide::os
