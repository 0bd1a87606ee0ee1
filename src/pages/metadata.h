// Memory for the allocator's own records: spans with their bitmaps, regions, magazines. Records are not given
// back to the system, only reused, but for those with a mapping of their own; together they are well under 1
// % of the memory they describe.
#pragma once

#include "base/units.h"
#include "os/mutex.h"
#include "pages/page_source.h"

#include <cstddef>

namespace lowtide {

// Zeroed memory is a valid, empty allocator once `source` is set. Its lock is a leaf: nothing is called under
// it but the source.
class metadata {
public:
    explicit constexpr metadata(const page_source* source) : source_(source) {}

    // Zeroed, aligned to 64; records of 2 KiB are aligned to 2 KiB, large ones have a mapping of their own.
    // Null when there is no memory, or when a signal handler has interrupted this very function. `nested`:
    // see os/mutex.h.
    [[nodiscard]] void* allocate(size_t bytes, bool nested = false) noexcept;
    void deallocate(void* record, size_t bytes, bool nested = false) noexcept;

    // Copies where its mappings are, from the `first` on, at most `most`; how many.
    struct mapping {
        uintptr_t base;
        size_t bytes;
    };
    [[nodiscard, gnu::cold]] size_t copy_mappings(size_t first, mapping* to, size_t most) noexcept;

    // Bytes taken from the system so far.
    [[nodiscard]] size_t mapped_bytes() const noexcept { return mapped_.load(std::memory_order_relaxed); }

private:
    static constexpr size_t grain = 64;
    static constexpr size_t max_kept = 2 * kibibyte;
    static constexpr size_t chunk_bytes = 128 * kibibyte;
    static constexpr size_t max_carved = chunk_bytes / 4;
    // Of freed records there is a list for each size: in grains, and from max_kept on in multiples of that.
    static constexpr size_t lists = max_kept / grain + max_carved / max_kept;
    static constexpr size_t rounded(size_t bytes) {
        return align_up(bytes, bytes <= max_kept ? grain : max_kept);
    }
    static constexpr size_t list_of(size_t bytes) {
        return bytes <= max_kept ? bytes / grain : max_kept / grain + bytes / max_kept - 1;
    }
    // Small records share pages of their own, or the alignment of the large ones would leave a gap before
    // each.
    static constexpr size_t sheet_bytes = 2 * kibibyte;

    struct free_record {
        free_record* next;
    };

    // At the beginning of each chunk.
    struct alignas(grain) chunk {
        chunk* older;
    };
    // Where the other mappings are, in pages of such notes. What died with its thread in a fork may be
    // missing.
    struct notes {
        notes* older;
        size_t used;
        size_t most;
        [[nodiscard]] mapping* of() { return reinterpret_cast<mapping*>(this + 1); }
    };

    bool lock(bool nested = false) noexcept;
    uintptr_t map(size_t bytes) noexcept;
    [[gnu::cold]] void* map_alone(size_t bytes, bool nested) noexcept;
    [[gnu::cold]] void unmap(void* record, size_t bytes, bool nested) noexcept;
    [[gnu::cold]] void note(const mapping& m) noexcept;
    [[gnu::cold]] void forget(uintptr_t base) noexcept;
    void* carve(size_t bytes) noexcept;
    void* carve_small(size_t bytes) noexcept;

    const page_source* source_;
    os::mutex mutex_;
    free_record* free_[lists]{};
    uintptr_t next_ = 0; // the rest of the current chunk
    uintptr_t end_ = 0;
    uintptr_t small_next_ = 0; // the rest of the current sheet of small records
    uintptr_t small_end_ = 0;
    chunk* chunks_ = nullptr; // the newest; so below
    notes* notes_ = nullptr;
    std::atomic<size_t> mapped_{0};
};

} // namespace lowtide
