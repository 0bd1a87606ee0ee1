#include "pages/huge.h"
#include "os/probe.h"

#include "os/vm.h"

namespace lowtide {

namespace {

// The moved pages of an object keep at least this alignment: its first slice must be its alone. What is cut
// off the parked mapping is a multiple of it, so that the rest begins where an object can begin.
constexpr size_t base_alignment = slice_size;
// The most that is parked, in sizes from which objects come here: one of those, grown once.
constexpr size_t most_parked = 2;

} // namespace

// ---- mappings

huge_tier::mapping huge_tier::fresh(size_t bytes, size_t alignment) noexcept {
    const uintptr_t base = limits_->allows(bytes) ? os::reserve_behind(os::page_size(), bytes, alignment) : 0;
    if (base == 0)
        return {};
    if (!os::commit(base, bytes) || !map_->cover(page_source{}, base, bytes)) {
        os::release(base, bytes);
        return {};
    }
    limits_->add_huge(bytes);
    return {base, bytes};
}

// Writes the record of a mapping that an object gets, or that has another size or place now. All of it: in a
// mapping that was parked, a program's data may have been there.
span* huge_tier::settle(const mapping& m) noexcept {
    auto* s = reinterpret_cast<span*>(m.base);
    *s = span{};
    s->kind = span_kind::huge;
    s->mapping = m.base;
    s->mapping_bytes = m.bytes;
    s->base = m.base + os::page_size();
    s->object_size = m.bytes - os::page_size();
    map_->set_huge(s->base, slice_count::holding(s->object_size), s);
    LOWTIDE_PROBE(lowtide, huge_alloc, s->base, s->object_size);
    return s;
}

void huge_tier::give_back(const mapping& m) noexcept {
    if (m.bytes == 0)
        return;
    returned_.fetch_add(m.bytes, std::memory_order_relaxed);
    limits_->take_huge(m.bytes);
    release_stuck();
    if (!os::release(m.base, m.bytes))
        keep_stuck(m);
}

// No more mappings are to be had, and a hole would be one: the memory goes back, the address space later.
void huge_tier::keep_stuck(const mapping& m) noexcept {
    os::purge(m.base, m.bytes);
    auto* s = reinterpret_cast<span*>(m.base);
    s->mapping = m.base;
    s->mapping_bytes = m.bytes;
    span* first = stuck_.load(std::memory_order_relaxed);
    do
        s->place().next = first;
    while (!stuck_.compare_exchange_weak(first, s, std::memory_order_release, std::memory_order_relaxed));
}

void huge_tier::release_stuck() noexcept {
    if (stuck_.load(std::memory_order_relaxed) == nullptr)
        return;
    for (auto* s = stuck_.exchange(nullptr, std::memory_order_acquire); s != nullptr;) {
        auto* next = static_cast<span*>(s->place().next);
        const mapping m{s->mapping, s->mapping_bytes};
        if (!os::release(m.base, m.bytes))
            keep_stuck(m);
        s = next;
    }
}

// ---- the parked mapping

bool huge_tier::lock() noexcept {
    switch (parking_.lock()) {
    case os::acquired::yes:
        return true;
    case os::acquired::mine:
        return false;
    case os::acquired::orphaned:
        set_parked({}); // half changed, perhaps: lost to this child
        return true;
    }
    return false;
}

void huge_tier::set_parked(const mapping& m) noexcept {
    parked_base_ = m.base;
    parked_bytes_.store(m.bytes, std::memory_order_relaxed);
}

huge_tier::mapping huge_tier::copy_parked() noexcept {
    if (parked_bytes() == 0 || !lock())
        return {};
    const mapping m = parked();
    parking_.unlock();
    return m;
}

// A mapping had to be made. Would the one before have served?
void huge_tier::note_demand() noexcept {
    const uint64_t freed_at = freed_at_ms_.load(std::memory_order_relaxed);
    if (freed_at != 0 && (settings_->decay_ms < 0 ||
                          source_->now_ms() - freed_at < static_cast<uint64_t>(settings_->decay_ms)))
        in_demand_.store(true, std::memory_order_relaxed);
}

// Takes the first `bytes` of the parked mapping, or a little more.
huge_tier::mapping huge_tier::cut_parked(size_t bytes) noexcept {
    const mapping whole = parked();
    bytes = align_up(bytes, base_alignment);
    if (bytes >= whole.bytes) {
        set_parked({});
        return whole;
    }
    set_parked({whole.base + bytes, whole.bytes - bytes});
    return {whole.base, bytes};
}

huge_tier::mapping huge_tier::take_parked(size_t bytes, size_t alignment) noexcept {
    if (parked_bytes() < bytes || !lock())
        return {};
    mapping taken;
    if (parked_bytes() >= bytes && (parked_base_ + os::page_size()) % alignment == 0)
        taken = cut_parked(bytes);
    parking_.unlock();
    return taken;
}

// Grows an object into the parked mapping behind it, so far as that goes.
void huge_tier::absorb_parked(span& s, size_t bytes) noexcept {
    if (parked_bytes() == 0 || !lock())
        return;
    mapping m{s.mapping, s.mapping_bytes};
    if (parked_base_ == m.end()) {
        m.bytes += cut_parked(bytes - m.bytes).bytes;
        bytes_.fetch_add(m.bytes - s.mapping_bytes, std::memory_order_relaxed);
        settle(m);
    }
    parking_.unlock();
}

// Keeps a mapping that is no object's any more, with what was cut off it. The answer is what has to go
// instead.
huge_tier::mapping huge_tier::park(const mapping& m) noexcept {
    const size_t most = most_parked * settings_->huge_bytes;
    if (settings_->dirty_cap == 0 || settings_->decay_ms == 0 || m.bytes > most)
        return m;
    const uint64_t now = source_->now_ms();
    freed_at_ms_.store(now, std::memory_order_relaxed);
    if (!in_demand_.load(std::memory_order_relaxed) || !lock())
        return m;
    mapping goes = parked();
    if (goes.base == m.end() && m.bytes + goes.bytes <= most) {
        set_parked({m.base, m.bytes + goes.bytes}); // as old as the rest, which nobody has needed
        goes = {};
    } else if (m.bytes > goes.bytes) {
        set_parked(m);
        parked_at_ms_ = now;
    } else {
        goes = m;
    }
    parking_.unlock();
    return goes;
}

size_t huge_tier::release_parked_after(int64_t ms) noexcept {
    if (ms < 0 || !lock())
        return 0;
    mapping m;
    if (source_->now_ms() - parked_at_ms_ >= static_cast<uint64_t>(ms))
        m = cut_parked(parked_bytes());
    if (ms != 0 && m.bytes != 0) // it wasn't needed in all that time
        in_demand_.store(false, std::memory_order_relaxed);
    parking_.unlock();
    give_back(m);
    return m.bytes;
}

// ---- objects

span_result huge_tier::allocate(size_t size, size_t alignment) noexcept {
    const size_t header = os::page_size();
    release_stuck();
    alignment = alignment < base_alignment ? base_alignment : alignment;
    if (size > max_request - header - alignment)
        return {};
    const size_t bytes = header + align_up(size, header);
    mapping m = take_parked(bytes, alignment);
    const bool zeroed = m.bytes == 0;
    if (m.bytes == 0) {
        note_demand();
        m = fresh(bytes, alignment);
    }
    if (m.bytes == 0 && release_parked() != 0)
        m = fresh(bytes, alignment);
    if (m.bytes == 0)
        return {};
    count_.fetch_add(1, std::memory_order_relaxed);
    bytes_.fetch_add(m.bytes - header, std::memory_order_relaxed);
    return {settle(m), zeroed};
}

void huge_tier::deallocate(span& s) noexcept {
    LOWTIDE_PROBE(lowtide, huge_free, s.base, s.object_size);
    map_->clear_huge(s.base, slice_count::holding(s.object_size));
    count_.fetch_sub(1, std::memory_order_relaxed);
    bytes_.fetch_sub(s.object_size, std::memory_order_relaxed);
    give_back(park({s.mapping, s.mapping_bytes}));
}

span* huge_tier::resize(span& s, size_t size) noexcept {
    const size_t header = os::page_size();
    if (size > max_request - header - base_alignment)
        return nullptr;
    const size_t new_bytes = header + align_up(size, header);
    if (new_bytes > s.mapping_bytes)
        absorb_parked(s, new_bytes);
    const mapping old{s.mapping, s.mapping_bytes};
    if (new_bytes <= old.bytes && old.bytes - new_bytes < base_alignment)
        return &s;
    if (new_bytes > old.bytes && !limits_->allows(new_bytes - old.bytes))
        return nullptr;
    const uintptr_t old_base = s.base;
    const slice_count old_length = slice_count::holding(s.object_size);
    mapping m{old.base, new_bytes};
    // Forget a place before its pages leave it, here and below: the next mmap of another thread may land
    // there.
    if (new_bytes < old.bytes)
        map_->clear_huge(old_base, old_length);
    if (!os::resize_in_place(old.base, old.bytes, new_bytes)) {
        if (new_bytes < old.bytes)
            map_->set_huge(old_base, old_length, &s);
        m.base = os::reserve_behind(header, new_bytes, base_alignment);
        if (m.base == 0)
            return nullptr;
        if (!map_->cover(page_source{}, m.base, new_bytes)) {
            os::release(m.base, new_bytes);
            return nullptr;
        }
        map_->clear_huge(old_base, old_length);
        if (!os::move(old.base, old.bytes, m.base, new_bytes)) {
            map_->set_huge(old_base, old_length, &s);
            return nullptr;
        }
    } else if (new_bytes > old.bytes && !map_->cover(page_source{}, m.base, new_bytes)) {
        os::resize_in_place(m.base, new_bytes, old.bytes);
        return nullptr;
    }
    bytes_.fetch_add(new_bytes - old.bytes, std::memory_order_relaxed); // may wrap; the sum is right
    limits_->add_huge(new_bytes - old.bytes);                           // so may this
    if (new_bytes < old.bytes)
        returned_.fetch_add(old.bytes - new_bytes, std::memory_order_relaxed);
    return settle(m);
}

} // namespace lowtide
