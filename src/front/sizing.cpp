// How large the magazines of a class are: small at first, larger where they are exchanged often, smaller
// where they are not, and where many processors are at work.
#include "front/front.h"

namespace lowtide {

namespace {

// Where exchanges are frequent, a magazine may grow to this many times the option `cache`: 2,000 objects of
// up to 32 KiB, replaced at random, cost 25 ns with 64 KiB and 12 ns with 512 KiB.
constexpr size_t busy_factor = 8;
// How many misses within a tick make a magazine grow, and how few let it shrink.
constexpr uint32_t misses_to_grow = 32;
constexpr uint32_t misses_to_keep = 8;
// A run is large enough to be worth one system call; two magazines of at most this keep the next one warm.
constexpr size_t run_magazine_bytes = 2 * mebibyte;
// What all magazines may hold beyond their usual sizes, and what the depots may hold at most: a share of what
// is in use.
constexpr size_t min_budget = 4 * mebibyte;
constexpr size_t budget_share = 16;
// Where a control group gives the process less time than there are processors, rows beyond twice that much
// wait most of it.
constexpr unsigned rows_a_processor = 2;
constexpr unsigned least_uncrowded_rows = 4;
constexpr size_t busy_classes = 32;
constexpr size_t cached_share = 4;
// Runs that magazines keep warm, in all: a mix of all sizes would otherwise hold one of each.
constexpr size_t min_warm_bytes = 8 * mebibyte;
constexpr size_t warm_share = 16;

unsigned clamp(size_t n, unsigned low, unsigned high) {
    return n < low ? low : n > high ? high : static_cast<unsigned>(n);
}

} // namespace

size_t front::budget() const noexcept {
    const size_t share = pages_->used_bytes() / budget_share;
    return share > min_budget ? share : min_budget;
}

unsigned front::rows_in_use() const noexcept {
    const unsigned before = rows_before_.load(std::memory_order_relaxed);
    const unsigned now = rows_seen_.load(std::memory_order_relaxed);
    return before > now ? before : now;
}

void front::set_cpu_quota(unsigned thousandths) noexcept {
    const size_t rows = divide_up(size_t{thousandths} * rows_a_processor, 1000);
    uncrowded_rows_.store(thousandths == 0 ? most_uncrowded_rows
                                           : clamp(rows, least_uncrowded_rows, most_uncrowded_rows),
                          std::memory_order_relaxed);
}

unsigned front::usual_capacity(size_class c) const noexcept {
    return capacity_for(c, usual_bytes_.load(std::memory_order_relaxed));
}

// In all rows: each that is in use may fill its magazines.
size_t front::granted() const noexcept {
    return granted_.load(std::memory_order_relaxed) * rows_in_use();
}

bool front::may_keep_warm(size_class c) const noexcept {
    const size_t share = pages_->used_bytes() / warm_share;
    const size_t limit = share > min_warm_bytes ? share : min_warm_bytes;
    return warm_bytes_.load(std::memory_order_relaxed) + object_size(c) <= limit;
}

void front::set_capacity(size_class c, unsigned objects) noexcept {
    const unsigned before =
        use_[index_of(c)].capacity.exchange(static_cast<uint16_t>(objects), std::memory_order_relaxed);
    const unsigned usual = capacity_for(c, settings_->cache_bytes);
    const auto beyond = [usual](unsigned capacity) {
        return size_t{capacity > usual ? capacity - usual : 0};
    };
    // Two magazines a class; the difference may be negative, and wraps to the right sum.
    granted_.fetch_add(2 * (beyond(objects) - beyond(before)) * object_size(c), std::memory_order_relaxed);
}

unsigned front::capacity_for(size_class c, size_t magazine_bytes) const noexcept {
    if (is_run_class(c))
        return clamp(run_magazine_bytes / object_size(c), 1, max_magazine_capacity);
    return clamp(magazine_bytes / object_size(c), 2, max_magazine_capacity);
}

// Called once for every exchange of magazines; the counts may miss a few when threads race.
void front::note_miss(size_class c) noexcept {
    class_use& use = use_[index_of(c)];
    const uint32_t misses = use.misses.load(std::memory_order_relaxed) + 1;
    use.misses.store(misses, std::memory_order_relaxed);
    const unsigned capacity = use.capacity.load(std::memory_order_relaxed);
    // Up to the option's size at once: a program that only allocates should not come here for every page.
    const unsigned usual = usual_capacity(c);
    const bool busy = misses % misses_to_grow == 0;
    const unsigned rows = cache_.row() + 1;
    if (rows > rows_seen_.load(std::memory_order_relaxed)) {
        rows_seen_.store(rows, std::memory_order_relaxed);
        if (rows > rows_before_.load(std::memory_order_relaxed) && rows > uncrowded_rows())
            divide_among_rows();
    }
    if (capacity < usual || (busy && !is_crowded() && granted() < budget())) {
        const unsigned limit =
            capacity < usual ? usual : capacity_for(c, settings_->cache_bytes * busy_factor);
        set_capacity(c, 2 * capacity < limit ? 2 * capacity : limit);
    }
    if (busy)
        tick();
}

// The usual size of a magazine, for as many rows as are in use.
void front::divide_among_rows() noexcept {
    const size_t option = settings_->cache_bytes;
    const size_t share = pages_->used_bytes() / cached_share / (2 * busy_classes);
    const size_t all = share > option * uncrowded_rows() ? share : option * uncrowded_rows();
    const size_t bytes = all / rows_in_use();
    usual_bytes_.store(bytes < option ? bytes : option, std::memory_order_relaxed);
    if (bytes >= option)
        return;
    for (unsigned i = 1; i < all_classes; ++i) {
        const size_class c{static_cast<uint8_t>(i)};
        const unsigned usual = usual_capacity(c);
        if (use_[i].capacity.load(std::memory_order_relaxed) > usual)
            set_capacity(c, usual);
    }
}

// At every tick: a class that was not exchanged lately keeps nothing in this row. Its objects may lie in as
// many slabs.
void front::age(size_class c) noexcept {
    class_use& use = use_[index_of(c)];
    const uint32_t misses = use.misses.exchange(0, std::memory_order_relaxed);
    const unsigned usual = usual_capacity(c);
    const unsigned capacity = use.capacity.load(std::memory_order_relaxed);
    if (misses < misses_to_keep && capacity > usual)
        set_capacity(c, capacity / 2 > usual ? capacity / 2 : usual);
    if (misses == 0) {
        drain_row(c, position::spare);
        drain_row(c, position::loaded);
    }
}

// A new interval of rows in use.
void front::count_rows() noexcept {
    rows_before_.store(rows_seen_.exchange(1, std::memory_order_relaxed), std::memory_order_relaxed);
    if (rows_in_use() > uncrowded_rows() || is_crowded())
        divide_among_rows();
}

} // namespace lowtide
