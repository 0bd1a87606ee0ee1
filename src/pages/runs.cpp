#include "pages/runs.h"

namespace lowtide {

// Runs of a class that magazines hold have its entry in the page map at their first slice.
void run_tier::describe(span& s, slice_count length) noexcept {
    s.length = length;
    s.object_size = length.bytes();
    s.sc = s.object_size > max_slab_object ? class_holding(s.object_size) : size_class{};
    map_->set_single(s.base, length, &s);
    map_->set_fast(s.base, fast_entry_of(s.sc));
}

void run_tier::count(const span& s) noexcept {
    counts_[index_of(s.sc)].fetch_add(1, std::memory_order_relaxed);
    if (s.sc == size_class{})
        unclassed_.fetch_add(s.object_size, std::memory_order_relaxed);
}

void run_tier::uncount(size_class c, size_t size) noexcept {
    counts_[index_of(c)].fetch_sub(1, std::memory_order_relaxed);
    if (c == size_class{})
        unclassed_.fetch_sub(size, std::memory_order_relaxed);
}

span_result run_tier::allocate(size_t size, size_t alignment) noexcept {
    auto* s = static_cast<span*>(records_->allocate(sizeof(span)));
    if (s == nullptr)
        return {};
    const slice_count length = slice_count::holding(size);
    const page_run run = pages_->allocate(length, alignment);
    if (run.base == 0) {
        records_->deallocate(s, sizeof(span));
        return {};
    }
    s->base = run.base;
    s->kind = span_kind::run;
    s->capacity = 1;
    describe(*s, length);
    count(*s);
    return {s, run.zeroed};
}

bool run_tier::deallocate(span& s) noexcept {
    const uintptr_t base = s.base;
    const slice_count length = s.length;
    // First out of the map: once the slices are free, another thread may have them.
    map_->set_fast(base, 0);
    map_->clear_single(base, length);
    if (!pages_->deallocate(base, length)) {
        describe(s, length);
        return false;
    }
    uncount(s.sc, s.object_size);
    records_->deallocate(&s, sizeof(span));
    return true;
}

bool run_tier::resize(span& s, size_t size) noexcept {
    if (size > max_run_bytes)
        return false;
    const slice_count length = slice_count::holding(size);
    const slice_count old = s.length;
    if (length.n == old.n)
        return true;
    if (length.n > old.n) {
        if (!pages_->extend(s.base, old, {length.n - old.n}))
            return false;
    } else {
        const uintptr_t tail = s.base + length.bytes();
        const slice_count rest{old.n - length.n};
        map_->clear_single(tail, rest);
        // Whoever shrinks a block of this size wants the memory back now, not when it has been idle.
        const bool purged = source_->purge(tail, rest.bytes());
        if (!pages_->deallocate(tail, rest, purged)) {
            describe(s, old);
            return false;
        }
    }
    uncount(s.sc, s.object_size);
    describe(s, length);
    count(s);
    return true;
}

} // namespace lowtide
