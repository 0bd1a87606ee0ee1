// The way back: what the magazines and depots hold to the tiers below, when it is asked for, when nobody has
// needed it for a while, and at every tick of the slow paths.
#include "front/front.h"

namespace lowtide {

namespace {

constexpr uint64_t tick_every_ms = 50;
// When the process grows, idle caches are looked for more often: what they hold pins slabs that would serve
// instead.
constexpr uint64_t growth_tick_ms = 2;
constexpr uint64_t tick_pause_factor = 10;
constexpr uint64_t holes_every_ms = 500;

} // namespace

void front::drain_row(size_class c, position where) noexcept {
    stock s;
    if (cache_.exchange(c, where, {}, s) && s.m != nullptr)
        flush(c, s);
}

void front::flush_all(cache::holdings& all) noexcept {
    for (unsigned i = 1; i < all_classes; ++i) {
        for (magazine* m = all.of_class[i]; m != nullptr;) {
            magazine* next = m->next;
            flush(size_class{static_cast<uint8_t>(i)}, {m, m->stored});
            m = next;
        }
    }
    for (span* s = all.parked; s != nullptr;) {
        auto* next = static_cast<span*>(s->place().next);
        s->place().forget();
        retire(*s);
        s = next;
    }
}

void front::drain() noexcept {
    cache::holdings all;
    cache_.collect(all);
    flush_all(all);
    for (unsigned i = 1; i < all_classes; ++i) {
        const size_class c{static_cast<uint8_t>(i)};
        drain_row(c, position::loaded); // where the kernel has no such membarrier
        drain_row(c, position::spare);
        if (!is_run_class(c))
            drain_depot(c);
    }
    drain_parked();
    slabs_->release_empty();
}

void front::drain_depot(size_class c) noexcept {
    for (stock s = depot_.take(c, nullptr); s.m != nullptr; s = depot_.take(c, nullptr))
        flush(c, s);
    discard(c, depot_.sweep(c));
}

void front::return_idle_depot(size_class c) noexcept {
    for (stock s = depot_.take_idle(c); s.m != nullptr; s = depot_.take_idle(c))
        flush(c, s);
    discard(c, depot_.sweep(c));
}

void front::return_rested(bool all) noexcept {
    if (!uses_magazines())
        return;
    if (seen_ == nullptr)
        seen_ = static_cast<magazine_row*>(records_->allocate(cache_.rows() * sizeof(magazine_row)));
    cache::holdings found;
    if (all)
        cache_.collect(found);
    else if (seen_ != nullptr)
        cache_.collect_rested(found, seen_);
    flush_all(found);
    for (unsigned i = 1; i <= slab_classes; ++i) {
        const size_class c{static_cast<uint8_t>(i)};
        if (all)
            drain_depot(c);
        else
            return_idle_depot(c);
    }
}

void front::tick() noexcept {
    const uint64_t now = source_->now_ms();
    uint64_t due = next_tick_ms_.load(std::memory_order_relaxed);
    const size_t committed = pages_->committed_bytes();
    const bool growing = committed > committed_at_tick_.load(std::memory_order_relaxed);
    if (now + (growing ? tick_every_ms - growth_tick_ms : 0) < due ||
        !next_tick_ms_.compare_exchange_strong(due, now + tick_every_ms, std::memory_order_relaxed))
        return;
    committed_at_tick_.store(committed, std::memory_order_relaxed);
    count_rows();
    for (unsigned i = 1; i < all_classes; ++i) {
        const size_class c{static_cast<uint8_t>(i)};
        age(c);
        if (!is_run_class(c) && !depot_.is_vacant(c))
            return_idle_depot(c);
    }
    drain_parked();
    pages_->tick();
    // Single-stepped, say, it takes longer than it is apart: the program has to get on as well.
    const uint64_t took = source_->now_ms() - now;
    if (took != 0)
        next_tick_ms_.store(now + tick_every_ms + took * tick_pause_factor, std::memory_order_relaxed);
    const uint64_t holes = next_holes_ms_.load(std::memory_order_relaxed);
    if (holes == 0) // nothing has rested yet
        next_holes_ms_.store(now + holes_every_ms, std::memory_order_relaxed);
    else if (now >= holes)
        return_holes(now);
}

void front::set_attended(bool yes) noexcept {
    attended_in_.store(yes ? os::generation() : 0, std::memory_order_relaxed);
}

// Where nobody else does: what slabs have had to spare for two of these intervals.
void front::return_holes(uint64_t now) noexcept {
    constexpr unsigned rest = 2;
    next_holes_ms_.store(now + holes_every_ms, std::memory_order_relaxed);
    bool left = false;
    if (settings_->decay_ms >= 0 && !is_attended())
        slabs_->give_holes_back(rest, left);
}

} // namespace lowtide
