// The heap's part in the ledger (observe/ledger.h): the walk through all that it has. A block's record is
// copied under the lock of the page tier, in a few microseconds, and looked at afterwards.
#include "entry/heap.h"
#include "observe/ledger.h"
#include "os/machine.h"
#include "os/vm.h"

#include <new>

namespace lowtide {

namespace {

using any_word [[gnu::may_alias]] = uint64_t;

// Others write it meanwhile, one word at a time, under a lock that isn't taken here.
[[gnu::no_sanitize_thread]] void copy_words(any_word* to, const volatile any_word* from,
                                            size_t count) noexcept {
    for (size_t i = 0; i < count; ++i)
        to[i] = from[i];
}

// A span as it is in one moment, or in two.
class span_copy {
public:
    explicit span_copy(const span* s) noexcept {
        if (s != nullptr)
            copy_words(reinterpret_cast<any_word*>(&copy_), reinterpret_cast<const any_word*>(s),
                       sizeof(span) / sizeof(any_word));
    }
    [[nodiscard]] const span& get() const noexcept { return copy_; }

private:
    static_assert(sizeof(span) % sizeof(any_word) == 0);
    span copy_{};
};

void note_taken(pool_extent& e, const block& b, block_picture& into) noexcept {
    const size_t page = os::page_size();
    const uintptr_t end = b.base + block_size;
    const size_t first = b.base > e.base ? (b.base - e.base) / e.object_size : 0;
    for (size_t i = first; i < e.capacity && e.base + i * e.object_size < end; ++i) {
        if (!e.records[i].is(block_state_in_pool::taken))
            continue;
        const uintptr_t begins = e.base + i * e.object_size;
        const uintptr_t ends = begins + e.object_size < end ? begins + e.object_size : end;
        const uintptr_t from = begins > b.base ? begins : b.base;
        into.taken.set((from - b.base) / page, (ends - from) / page);
    }
}

// What lies in a block from that slice on, in a span or in none; with the lock.
stretch stretch_at(const page_map& map, const block& b, unsigned first, block_picture& into) noexcept {
    stretch it;
    it.first = static_cast<uint8_t>(first);
    const uintptr_t at = b.base + slice_count{first}.bytes();
    const auto of_kind = [&](uint32_t mask) {
        unsigned count = 1;
        while (first + count < slices_per_block && (mask >> (first + count) & 1) != 0)
            ++count;
        return static_cast<uint8_t>(count);
    };
    const uint32_t nobodys = b.free | b.purging;
    if ((nobodys >> first & 1) != 0) {
        it.count = of_kind(nobodys);
        return it;
    }
    span* there = map.find_unasked(at);
    const span_copy copy(there);
    const span& s = copy.get();
    if (there == nullptr || at - s.base >= s.length.bytes()) {
        it.is = stretch::kind::going;
        it.count = 1;
        return it;
    }
    const auto left = static_cast<unsigned>((s.base + s.length.bytes() - at) / slice_size);
    it.count = static_cast<uint8_t>(left < slices_per_block - first ? left : slices_per_block - first);
    it.sc = s.sc;
    it.owner = s.owned ? owner_of(*there) : nullptr;
    switch (s.kind) {
    case span_kind::slab:
        it.is = stretch::kind::slab;
        it.object_size = static_cast<uint32_t>(s.object_size);
        it.capacity = s.capacity;
        it.free_bits = into.bitmaps[first];
        copy_words(it.free_bits, there->bitmap(), s.bitmap_words());
        break;
    case span_kind::pool:
        it.is = stretch::kind::pool;
        it.owner = extent_of(*there).owner;
        note_taken(extent_of(*there), b, into);
        break;
    default:
        it.is = stretch::kind::run;
        it.cached = s.parked;
        it.usable = at == s.base ? s.object_size : 0;
    }
    return it;
}

void take_picture(const page_map& map, const block& b, block_picture& into) noexcept {
    into.base = b.base;
    into.count = 0;
    into.taken = {};
    for (unsigned first = 0; first < slices_per_block; first += into.stretches[into.count++].count)
        into.stretches[into.count] = stretch_at(map, b, first, into);
}

// A mapping of ours, as long as it lives.
template <typename T>
class mapped {
public:
    explicit mapped(size_t bytes) noexcept
        : bytes_(align_up(bytes, os::page_size())), at_(os::map(bytes_, os::page_size())) {}
    ~mapped() {
        if (at_ != 0)
            os::release(at_, bytes_);
    }
    mapped(const mapped&) = delete;
    mapped& operator=(const mapped&) = delete;
    [[nodiscard]] T* get() const noexcept { return reinterpret_cast<T*>(at_); }

private:
    size_t bytes_;
    uintptr_t at_;
};

template <typename T>
named_ledger describe(T& element, const char* name, size_t object_size, bool is_pool) noexcept {
    named_ledger n;
    n.who = &element;
    n.is_pool = is_pool;
    n.object_size = object_size;
    for (size_t i = 0; i + 1 < sizeof(n.name) && name[i] != '\0'; ++i)
        n.name[i] = name[i];
    return n;
}

} // namespace

void heap::list_named(ledger& l) noexcept {
    pools_.for_each([&l](block_pool& p) { l.add_named(describe(p, p.name(), p.bytes_a_block(), true)); });
    // The list in which a span finds its heap is a part of it.
    own_heaps_.for_each(
        [&l](own_heap& h) { l.add_named(describe(static_cast<span_owner&>(h), h.name(), 0, false)); });
    l.sort_named();
}

void heap::walk_huge(ledger& l, os::resident_pages& pages) noexcept {
    map_->for_each_outside_blocks([&](const span* there) {
        span s;
        const auto at = reinterpret_cast<uintptr_t>(there);
        if (!os::copy_if_there(static_cast<void*>(&s), at, sizeof(s)))
            return; // freed meanwhile
        if (s.kind != span_kind::huge || s.mapping != at || s.mapping_bytes < s.object_size)
            return;
        l.of(category::huge).add(s.object_size, pages.bytes_in(s.base, s.object_size));
        l.of(category::metadata).add(os::page_size(), os::page_size());
    });
    const huge_tier::mapping parked = huge_.copy_parked();
    l.of(category::huge_parked).add(parked.bytes, pages.bytes_in(parked.base, parked.bytes));
}

void heap::walk_metadata(ledger& l, os::resident_pages& pages) noexcept {
    portion& all = l.of(category::metadata);
    constexpr size_t at_once = 32;
    metadata::mapping some[at_once];
    for (size_t first = 0, count = at_once; count == at_once; first += count) {
        count = records_.copy_mappings(first, some, at_once);
        for (size_t i = 0; i < count; ++i)
            all.add(some[i].bytes, pages.bytes_in(some[i].base, some[i].bytes));
    }
    map_->for_each_leaf([&](page_map_leaf& leaf, size_t) {
        all.add(sizeof(leaf), pages.bytes_in(reinterpret_cast<uintptr_t>(&leaf), sizeof(leaf)));
    });
    all.add(sizeof(lowtide_fast),
            pages.bytes_in(reinterpret_cast<uintptr_t>(&lowtide_fast), sizeof(lowtide_fast)));
}

bool heap::fill(ledger& l, block_picture& picture) noexcept {
    const uint64_t began_us = os::thread_cpu_us();
    os::resident_pages pages;
    list_named(l);
    os::page_bits resident;
    block_walk walk;
    while (pages_.look_at_next(walk, [&](const block& b) { take_picture(*map_, b, picture); })) {
        if (!pages.find(picture.base, block_size, resident))
            return false;
        l.add(picture, resident);
    }
    walk_huge(l, pages);
    walk_metadata(l, pages);
    l.process = os::resident_memory_of_process(pages);
    account now;
    fill(now);
    l.close(now);
    const samples::waste w = samples_.measure_waste();
    l.waste_samples = w.samples;
    l.waste_share = w.share;
    l.taken_ns = os::unix_ns();
    l.cost_ns = (os::thread_cpu_us() - began_us) * 1000;
    return true;
}

account_result heap::print_account(printer& out, account_format format) noexcept {
    start();
    const size_t room = pools_.count() + own_heaps_.count() + 16;
    const mapped<ledger> ledger_at(ledger::bytes_for(room));
    const mapped<block_picture> picture(sizeof(block_picture));
    if (ledger_at.get() == nullptr || picture.get() == nullptr)
        return account_result::no_memory;
    auto* l = new (ledger_at.get()) ledger(room);
    if (!fill(*l, *picture.get()))
        return account_result::unknown;
    if (format == account_format::json)
        print_json(out, *l);
    else
        print_openmetrics(out, *l);
    return account_result::ok;
}

} // namespace lowtide
