// Page holes: pages of a partly used slab on which no object in use lies go back to the system. The slab
// stays what it is; the objects there are free as before, only handed out after all others.
//
// Only slabs at rest are looked through: memory that is about to be used again costs more to fault in than it
// cost to give back. A slab is looked at once for every time that it changes, however many there are.
#include "os/vm.h"
#include "slab/slab_tier.h"

#include <bit>

namespace lowtide {

namespace {

// A slab in a huge page keeps its pages as long as fewer than this share of them are free: one of them would
// cost the huge page.
constexpr unsigned huge_page_share = 4;

constexpr unsigned most_slab_slices = [] {
    unsigned most = 0;
    for (unsigned i = 1; i <= slab_classes; ++i)
        most = geometries[i].slices > most ? geometries[i].slices : most;
    return most;
}();
constexpr size_t smallest_page = 4 * kibibyte;
static_assert(most_slab_slices * slice_size / smallest_page <= 64, "span::holes has a bit for each page");

[[LOWTIDE_RARE]] unsigned page_shift() {
    return floor_log2(os::page_size());
}

[[LOWTIDE_RARE]] unsigned pages_in(const span& s) {
    return static_cast<unsigned>(s.length.bytes() >> page_shift());
}

// The pages that an object lies on.
[[LOWTIDE_RARE]] uint64_t pages_of(const span& s, uintptr_t object) {
    const unsigned first = static_cast<unsigned>((object - s.base) >> page_shift());
    const unsigned last = static_cast<unsigned>((object + s.object_size - 1 - s.base) >> page_shift());
    return (~uint64_t{0} >> (63 - (last - first))) << first;
}

[[gnu::cold]] bool all_free(span& s, uint32_t first, uint32_t last) {
    for (uint32_t w = first / 64; w <= last / 64; ++w) {
        uint64_t wanted = ~uint64_t{0};
        if (w == first / 64)
            wanted &= ~uint64_t{0} << first % 64;
        if (w == last / 64)
            wanted &= ~uint64_t{0} >> (63 - last % 64);
        if ((s.bitmap()[w] & wanted) != wanted)
            return false;
    }
    return true;
}

// The pages with objects that are all free. The tail behind the last object was never touched.
[[gnu::cold]] uint64_t free_pages(span& s) {
    uint64_t free = 0;
    for (unsigned page = 0; page < pages_in(s); ++page) {
        const auto first = static_cast<uint32_t>((size_t{page} << page_shift()) / s.object_size);
        auto last = static_cast<uint32_t>(((size_t{page + 1} << page_shift()) - 1) / s.object_size);
        if (first >= s.capacity)
            break;
        last = last < s.capacity ? last : s.capacity - 1;
        if (all_free(s, first, last))
            free |= uint64_t{1} << page;
    }
    return free;
}

// What the objects in use have of [begin, end) of a slab, without its lock.
struct occupancy {
    size_t bytes = 0;
    unsigned objects = 0;
};

[[gnu::cold]] occupancy occupied(span& s, uintptr_t begin, uintptr_t end) {
    occupancy all;
    for (auto i = static_cast<uint32_t>((begin - s.base) / s.object_size); i < s.capacity; ++i) {
        const uintptr_t object = s.base + i * s.object_size;
        if (object >= end)
            break;
        if ((__atomic_load_n(&s.bitmap()[i / 64], __ATOMIC_RELAXED) >> i % 64 & 1) != 0)
            continue;
        const uintptr_t object_end = object + s.object_size;
        all.bytes += (object_end < end ? object_end : end) - (object > begin ? object : begin);
        ++all.objects;
    }
    return all;
}

} // namespace

double slab_tier::pinned_bytes(span& slab, uintptr_t object) noexcept {
    if (slab.kind != span_kind::slab)
        return 0; // what is free around a run goes back
    const size_t page = size_t{1} << page_shift();
    double share = 0;
    for (uintptr_t at = align_down(object, page); at < object + slab.object_size; at += page) {
        const occupancy used = occupied(slab, at, at + page);
        if (used.objects != 0)
            share += static_cast<double>(page - used.bytes) / used.objects;
    }
    return share;
}

// Under the lock of the class. False when the system refuses.
bool slab_tier::look_at(slab_shard& shard, span& s, list<span>& emptied, size_t& bytes) noexcept {
    if (s.free_objects == s.capacity) {
        drop(shard, s, emptied);
        return true;
    }
    const uint64_t free = free_pages(s);
    if (count_bits_of(free) * huge_page_share < pages_in(s) && pages_->in_huge_page(s.base))
        return true;
    for (uint64_t left = free & ~s.holes; left != 0;) {
        const auto first = static_cast<unsigned>(__builtin_ctzll(left));
        const auto count = static_cast<unsigned>(std::countr_one(left >> first));
        const uint64_t run = (~uint64_t{0} >> (64 - count)) << first;
        const size_t run_bytes = size_t{count} << page_shift();
        if (!pages_->purge_within(s.base + (size_t{first} << page_shift()), run_bytes))
            return false;
        s.holes |= run;
        shard.hole_pages += count;
        bytes += run_bytes;
        left &= ~run;
    }
    return true;
}

// One slab at a time, so that nobody waits for the lock longer than a system call takes.
size_t slab_tier::look_through(size_class c, unsigned rest, bool& left) noexcept {
    constexpr unsigned looked_at = 64; // not purged: that takes no time
    slab_shard& shard = shard_of(c);
    size_t bytes = 0;
    for (bool first = true, more = true; more; first = false) {
        list<span> emptied;
        if (!lock(c))
            return bytes;
        if (first) {
            ++shard.round;
            shard.noting ^= 1;
        }
        list<span, by_rest>& restless = shard.restless[shard.noting ^ 1];
        const size_t before = bytes;
        for (unsigned i = 0; i < looked_at && bytes == before; ++i) {
            span* s = restless.front();
            if (s == nullptr)
                break;
            s->rest_place().unlink();
            const bool rested = static_cast<uint8_t>(shard.round - s->used_in) >= rest;
            if (!rested || !look_at(shard, *s, emptied, bytes)) {
                shard.restless[shard.noting].push_back(*s);
                left = true;
            }
        }
        more = !restless.empty();
        shard.mutex.unlock();
        retire_all(emptied);
    }
    return bytes;
}

size_t slab_tier::give_holes_back(unsigned rest, bool& left) noexcept {
    left = false;
    if (looking_.orphaned() ? looking_.lock_outermost() == os::acquired::mine : !looking_.try_lock())
        return 0;
    size_t bytes = 0;
    for (unsigned i = 1; i <= slab_classes; ++i) {
        const size_class c{static_cast<uint8_t>(i)};
        if (shard_of(c).slab_count() != 0) // else its memory was never touched
            bytes += look_through(c, rest, left);
    }
    looking_.unlock_outermost();
    return bytes;
}

// ---- taking objects from a slab with holes

// Only objects whose pages are all there.
unsigned slab_tier::extract_resident(span& s, void** end, unsigned wanted) noexcept {
    unsigned taken = 0;
    for (uint32_t w = s.first_free_word; taken < wanted && w < s.bitmap_words(); ++w) {
        for (uint64_t bits = s.bitmap()[w]; bits != 0 && taken < wanted; bits &= bits - 1) {
            const uintptr_t object =
                s.base + (size_t{w} * 64 + static_cast<unsigned>(__builtin_ctzll(bits))) * s.object_size;
            if ((pages_of(s, object) & s.holes) != 0)
                continue;
            s.bitmap()[w] &= ~(bits & -bits);
            *(end - ++taken) = reinterpret_cast<void*>(object);
        }
    }
    return taken;
}

// These objects have been taken: their pages will be touched.
void slab_tier::fill_holes(slab_shard& shard, span& s, void* const* objects, unsigned count) noexcept {
    for (unsigned i = 0; i < count; ++i)
        forget_holes(shard, s, pages_of(s, reinterpret_cast<uintptr_t>(objects[i])));
}

void slab_tier::forget_holes(slab_shard& shard, span& s, uint64_t pages) noexcept {
    shard.hole_pages -= count_bits_of(s.holes & pages);
    s.holes &= ~pages;
}

} // namespace lowtide
