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
    const uintptr_t at = source_->map(bytes, os::page_size());
    if (at != 0)
        mapped_.fetch_add(bytes, std::memory_order_relaxed);
    return at;
}

void* metadata::map_alone(size_t bytes, bool nested) noexcept {
    bytes = align_up(bytes, os::page_size());
    const uintptr_t at = map(bytes);
    if (at != 0 && lock(nested)) {
        note({at, bytes});
        mutex_.unlock();
    }
    return reinterpret_cast<void*>(at);
}

void metadata::unmap(void* record, size_t bytes, bool nested) noexcept {
    const auto at = reinterpret_cast<uintptr_t>(record);
    bytes = align_up(bytes, os::page_size());
    // First: what takes its place may be noted at once.
    if (lock(nested)) {
        forget(at);
        mutex_.unlock();
    }
    if (source_->release(at, bytes))
        mapped_.fetch_sub(bytes, std::memory_order_relaxed);
}

// With the lock. Without a page for it there is no note.
void metadata::note(const mapping& m) noexcept {
    if (notes_ == nullptr || notes_->used == notes_->most) {
        const size_t bytes = os::page_size();
        const uintptr_t page = map(bytes);
        if (page == 0)
            return;
        auto* fresh = reinterpret_cast<notes*>(page);
        fresh->most = (bytes - sizeof(notes)) / sizeof(mapping);
        fresh->older = notes_;
        notes_ = fresh;
    }
    notes_->of()[notes_->used++] = m;
}

// With the lock. The last one of its page takes the place.
void metadata::forget(uintptr_t base) noexcept {
    for (notes* n = notes_; n != nullptr; n = n->older) {
        for (size_t i = 0; i < n->used; ++i) {
            if (n->of()[i].base != base)
                continue;
            n->of()[i] = n->of()[--n->used];
            return;
        }
    }
}

size_t metadata::copy_mappings(size_t first, mapping* to, size_t most) noexcept {
    size_t seen = 0;
    size_t copied = 0;
    const auto add = [&](const mapping& m) {
        if (seen++ >= first && copied < most)
            to[copied++] = m;
    };
    if (!lock())
        return 0;
    for (const chunk* c = chunks_; c != nullptr; c = c->older)
        add({reinterpret_cast<uintptr_t>(c), chunk_bytes});
    for (notes* n = notes_; n != nullptr; n = n->older) {
        add({reinterpret_cast<uintptr_t>(n), os::page_size()});
        for (size_t i = 0; i < n->used; ++i)
            add(n->of()[i]);
    }
    mutex_.unlock();
    return copied;
}

// Aligned as the largest records that are kept ask for.
void* metadata::carve(size_t bytes) noexcept {
    uintptr_t at = align_up(next_, max_kept);
    if (at + bytes > end_ || next_ == 0) {
        const uintptr_t fresh = map(chunk_bytes);
        if (fresh == 0)
            return nullptr;
        auto* c = reinterpret_cast<chunk*>(fresh);
        c->older = chunks_;
        chunks_ = c;
        next_ = fresh + sizeof(chunk);
        end_ = fresh + chunk_bytes;
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
        return map_alone(bytes, nested);
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
        return unmap(record, bytes, nested);
    if (record == nullptr || !lock(nested))
        return; // lost, but only when a signal handler interrupted this very function
    auto* freed = static_cast<free_record*>(record);
    freed->next = free_[list_of(bytes)];
    free_[list_of(bytes)] = freed;
    mutex_.unlock();
}

} // namespace lowtide
