// Where a run of more than a block is taken from, and a block that has no memory yet. All with the lock.
#include "pages/page_tier.h"

namespace lowtide {

block* page_tier::find_without_memory() noexcept {
    for (region* r = first_region_; r != nullptr; r = r->next)
        for (uint32_t first = 0; first < r->block_count; first += block_group::size) {
            const uint64_t without = r->groups[first / block_group::size].without_memory;
            if (without != 0)
                return &r->blocks[first + static_cast<uint32_t>(__builtin_ctzll(without))];
        }
    return nullptr;
}

template <typename Visit>
void page_tier::for_each_stretch(stretch_of kind, uint32_t wanted, Visit visit) noexcept {
    for (region* r = first_region_; r != nullptr; r = r->next)
        if (lowtide::for_each_stretch(*r, kind, wanted, visit))
            return;
}

// Of how many sufficient stretches the best is taken: where there are many, the next is hardly better.
constexpr int stretches_looked_at = 8;

// The shortest sufficient stretch of dirty slices: nothing has to be faulted in, and the least is cut up.
uintptr_t page_tier::find_dirty(uint32_t wanted) noexcept {
    uintptr_t best = 0;
    uint32_t shortest = ~uint32_t{0};
    int looked = 0;
    for_each_stretch(stretch_of::dirty, wanted, [&](uintptr_t base, uint32_t length) {
        if (length < shortest) {
            best = base;
            shortest = length;
        }
        return length == wanted || ++looked == stretches_looked_at;
    });
    return best;
}

// Dirty ones of the slices in a row from `at` on, which lie in blocks.
uint32_t page_tier::count_dirty(uintptr_t at, uint32_t slices) const noexcept {
    uint32_t dirty = 0;
    for_each_part(at, slices, [&](const block& b, uint32_t part) { dirty += count_bits(b.dirty & part); });
    return dirty;
}

// The place with the most dirty slices at the beginning or the end of a free stretch that needs no system
// call.
uintptr_t page_tier::find_most_dirty(uint32_t wanted) noexcept {
    uintptr_t best = 0;
    uint32_t most = 0;
    int looked = 0;
    const auto consider = [&](uintptr_t base) {
        const uint32_t dirty = count_dirty(base, wanted);
        if (best == 0 || dirty > most) {
            best = base;
            most = dirty;
        }
    };
    for_each_stretch(stretch_of::free, wanted, [&](uintptr_t base, uint32_t length) {
        consider(base);
        consider(base + slice_count{length - wanted}.bytes());
        return ++looked == stretches_looked_at;
    });
    return best;
}

// The lowest place, whether it has memory or not.
uintptr_t page_tier::find_any(uint32_t wanted) noexcept {
    uintptr_t found = 0;
    for_each_stretch(stretch_of::space, wanted, [&](uintptr_t base, uint32_t) {
        found = base;
        return true;
    });
    return found;
}

} // namespace lowtide
