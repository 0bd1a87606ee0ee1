#include "pages/runs.h"

namespace lowtide {

namespace {

// A smaller tail isn't worth a system call, or the huge page that it is in.
constexpr size_t tail_share = 8;
constexpr size_t huge_tail_share = 4;
// What may stay of tails: a share of what is in use, or this.
constexpr size_t loose_share = 8;
constexpr size_t loose_share_limited = 32; // where every page counts
constexpr size_t least_loose = 4 * mebibyte;

} // namespace

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
    if (!run.zeroed || !run.plain)
        note_tail(*s, size, run);
    return {s, run.zeroed};
}

// What is beyond the size that was asked for isn't touched, but is in memory where that has been used before,
// or where a huge page comes. As long as all of that together is little it stays: the next one there may
// touch it. Where the run before had none there either there is nothing to do: blocks of one size that come
// and go don't pay each time.
void run_tier::note_tail(span& s, size_t size, const page_run& run) noexcept {
    const size_t used = align_up(size, os::page_size());
    const size_t tail = s.length.bytes() - used;
    if (s.length.n < 2 || tail * tail_share < s.length.bytes())
        return;
    if (run.thin_end || (run.zeroed && !pages_->in_huge_page(s.base))) {
        s.holes = 1;
        return;
    }
    const size_t by_use = pages_->used_bytes() / (pages_->is_limited() ? loose_share_limited : loose_share);
    const size_t most = by_use > least_loose ? by_use : least_loose;
    if (loose_.load(std::memory_order_relaxed) + tail <= most) {
        s.loose = static_cast<uint32_t>(tail);
        loose_.fetch_add(tail, std::memory_order_relaxed);
    } else if (tail * huge_tail_share >= s.length.bytes() || !pages_->in_huge_page(s.base)) {
        s.holes = pages_->purge_within(s.base + used, tail) ? 1 : 0;
    }
}

bool run_tier::deallocate(span& s) noexcept {
    const uintptr_t base = s.base;
    // First out of the map: once the slices are free, another thread may have them.
    map_->set_fast(base, 0);
    map_->clear_single(base, s.length);
    if (!pages_->deallocate(base, s.length, memory_left{.thin_end = s.holes != 0})) {
        describe(s, s.length);
        return false;
    }
    if (s.loose != 0)
        loose_.fetch_sub(s.loose, std::memory_order_relaxed);
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
        if (!pages_->deallocate(tail, rest, memory_left{.clean = purged})) {
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
