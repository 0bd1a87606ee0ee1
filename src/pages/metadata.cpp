#include "pages/metadata.h"

namespace lowtide {

// What was being changed when the holder died in a fork can't be trusted: start again with a new chunk. The
// records on the free lists are lost to the child, a few KiB.
bool metadata::lock(bool nested) noexcept {
    switch (mutex_.lock(nested)) {
    case os::acquired::yes:
        return true;
    case os::acquired::mine:
        return false;
    case os::acquired::orphaned:
        for (free_record*& head : free_)
            head = nullptr;
        next_ = end_ = small_next_ = small_end_ = 0;
        return true;
    }
    return false;
}

uintptr_t metadata::map(size_t bytes) noexcept {
    const uintptr_t mapping = source_->map(bytes, os::page_size());
    if (mapping != 0)
        mapped_.fetch_add(bytes, std::memory_order_relaxed);
    return mapping;
}

void metadata::unmap(void* record, size_t bytes) noexcept {
    if (source_->release(reinterpret_cast<uintptr_t>(record), bytes))
        mapped_.fetch_sub(bytes, std::memory_order_relaxed);
}

// Aligned as the largest records that are kept ask for.
void* metadata::carve(size_t bytes) noexcept {
    uintptr_t at = align_up(next_, max_kept);
    if (at + bytes > end_ || next_ == 0) {
        const uintptr_t chunk = map(chunk_bytes);
        if (chunk == 0)
            return nullptr;
        next_ = chunk;
        end_ = chunk + chunk_bytes;
        at = align_up(next_, max_kept);
    }
    next_ = at + bytes;
    return reinterpret_cast<void*>(at);
}

void* metadata::carve_small(size_t bytes) noexcept {
    if (small_next_ + bytes > small_end_) {
        const auto sheet = reinterpret_cast<uintptr_t>(carve(sheet_bytes));
        if (sheet == 0)
            return nullptr;
        small_next_ = sheet;
        small_end_ = sheet + sheet_bytes;
    }
    void* record = reinterpret_cast<void*>(small_next_);
    small_next_ += bytes;
    return record;
}

void* metadata::allocate(size_t bytes, bool nested) noexcept {
    bytes = rounded(bytes);
    if (bytes > max_carved)
        return reinterpret_cast<void*>(map(align_up(bytes, os::page_size())));
    if (!lock(nested))
        return nullptr;
    void* record = nullptr;
    free_record*& head = free_[list_of(bytes)];
    const bool reused = head != nullptr;
    if (reused) {
        record = head;
        head = head->next;
    } else {
        record = bytes < max_kept ? carve_small(bytes) : carve(bytes);
    }
    mutex_.unlock();
    if (reused)
        __builtin_memset(record, 0, bytes);
    return record;
}

void metadata::deallocate(void* record, size_t bytes, bool nested) noexcept {
    bytes = rounded(bytes);
    if (record != nullptr && bytes > max_carved)
        return unmap(record, align_up(bytes, os::page_size()));
    if (record == nullptr || !lock(nested))
        return; // lost, but only when a signal handler interrupted this very function
    auto* freed = static_cast<free_record*>(record);
    freed->next = free_[list_of(bytes)];
    free_[list_of(bytes)] = freed;
    mutex_.unlock();
}

} // namespace lowtide
