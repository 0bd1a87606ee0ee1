// Which pages of our memory are in memory, and reading what may be unmapped meanwhile.
#pragma once

#include "base/units.h"

#include <cstddef>
#include <cstdint>

namespace lowtide::os {

// A bit for each page of a block, the first one lowest.
struct page_bits {
    static constexpr size_t words = block_size / (4 * kibibyte) / 64;
    uint64_t of[words]{};

    void set(size_t first, size_t count) noexcept;
    [[nodiscard]] size_t count(size_t first, size_t count) const noexcept;
    [[nodiscard]] bool has(size_t page) const noexcept { return (of[page / 64] >> page % 64 & 1) != 0; }
};

// As long as it lives it has a descriptor. By PAGEMAP_SCAN (Linux 6.7), which leaves the page of zeros out
// that is mapped where memory was only read: it isn't resident (proc(5)); else by mincore(2), which doesn't.
// Memory that is swapped out is not in memory. One thread.
class resident_pages {
public:
    resident_pages() noexcept;
    ~resident_pages();
    resident_pages(const resident_pages&) = delete;
    resident_pages& operator=(const resident_pages&) = delete;

    // Of [base, base+bytes), whole pages and at most a block. What isn't mapped isn't in memory. False where
    // the system doesn't say.
    [[nodiscard]] bool find(uintptr_t base, size_t bytes, page_bits& to) noexcept;
    // The bytes in memory of any number of pages; 0 where the system doesn't say.
    [[nodiscard]] size_t bytes_in(uintptr_t base, size_t bytes) noexcept;

private:
    [[nodiscard]] bool scan(uintptr_t base, size_t bytes, page_bits& to) noexcept;

    int fd_;
    bool scans_ = true;
};

// Copies memory of this process that another thread may be unmapping. False, and `to` is anything, if it is
// gone (process_vm_readv(2), or /proc/self/mem where that is forbidden).
[[nodiscard]] bool copy_if_there(void* to, uintptr_t from, size_t bytes) noexcept;

// What the process has in memory, as /proc/self/smaps_rollup says, in bytes; or where that isn't there (Linux
// before 4.14) statm, without the files.
struct resident_memory {
    size_t all = 0; // 0: it can't be known
    size_t anonymous = 0;
    size_t swapped = 0;
    size_t stack = 0; // of that, of the main thread
};
[[nodiscard]] resident_memory resident_memory_of_process(resident_pages& pages) noexcept;

} // namespace lowtide::os
