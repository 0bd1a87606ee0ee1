#include "observe/ledger.h"

#include "os/vm.h"

#include <cstring>

namespace lowtide {

category_name name_of(category c) noexcept {
    switch (c) {
    case category::live:
        return {"live", "objects of malloc that the program holds"};
    case category::huge:
        return {"huge", "the same, with a mapping of its own each"};
    case category::cached:
        return {"cached", "free objects in magazines and depots"};
    case category::slab_free:
        return {"slab_free", "free objects in slabs that are partly in use"};
    case category::run_free:
        return {"run_free", "free runs and blocks"};
    case category::huge_parked:
        return {"huge_parked", "a huge mapping that waits for its next use"};
    case category::pool_taken:
        return {"pool_taken", "blocks of pools that the program holds"};
    case category::pool_free:
        return {"pool_free", "free blocks of pools"};
    case category::heap_live:
        return {"heap_live", "objects of the program's own heaps"};
    case category::heap_free:
        return {"heap_free", "free objects of those"};
    case category::metadata:
        return {"metadata", "the allocator's own records"};
    case category::files:
        return {"files", "programs, libraries, mapped files, shared memory"};
    case category::stack:
        return {"stack", "of the main thread"};
    case category::other:
        break;
    }
    return {"other", "data of libraries, stacks of threads, the program's own mappings"};
}

// ---- pools and heaps

bool ledger::add_named(const named_ledger& n) noexcept {
    if (count_ == room_) {
        ++lost_;
        return false;
    }
    named()[count_++] = n;
    return true;
}

// Heap sort: there may be many, and no other memory.
void ledger::sort_named() noexcept {
    named_ledger* const all = named();
    const auto sink = [all](size_t at, size_t count) {
        for (size_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
            if (child + 1 < count && all[child].who < all[child + 1].who)
                ++child;
            if (all[child].who <= all[at].who)
                return;
            const named_ledger moved = all[at];
            all[at] = all[child];
            all[child] = moved;
            at = child;
        }
    };
    for (size_t at = count_ / 2; at-- > 0;)
        sink(at, count_);
    for (size_t last = count_; last-- > 1;) {
        const named_ledger moved = all[0];
        all[0] = all[last];
        all[last] = moved;
        sink(0, last);
    }
}

named_ledger* ledger::find(const void* who) noexcept {
    size_t low = 0;
    for (size_t high = count_; low < high;) {
        const size_t middle = (low + high) / 2;
        if (named()[middle].who < who)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count_ && named()[low].who == who ? &named()[low] : nullptr;
}

// ---- blocks

// Bytes of used objects on one page of a slab.
static size_t used_on_page(const stretch& s, size_t page_begin, size_t page_bytes) noexcept {
    const size_t page_end = page_begin + page_bytes;
    size_t used = 0;
    for (size_t i = page_begin / s.object_size; i < s.capacity && i * s.object_size < page_end; ++i) {
        if ((s.free_bits[i / 64] >> i % 64 & 1) != 0)
            continue;
        const size_t begin = i * s.object_size > page_begin ? i * s.object_size : page_begin;
        const size_t end = (i + 1) * s.object_size < page_end ? (i + 1) * s.object_size : page_end;
        used += end - begin;
    }
    return used;
}

void ledger::add_slab(const stretch& s, const os::page_bits& resident) noexcept {
    const size_t page = os::page_size();
    const size_t pages = slice_count{s.count}.bytes() / page;
    const size_t first = slice_count{s.first}.bytes() / page;
    size_t free_objects = 0;
    for (size_t word = 0; word < (s.capacity + 63) / 64; ++word)
        free_objects += count_bits_of(s.free_bits[word]);
    const size_t used = (s.capacity - free_objects) * s.object_size;
    const size_t present = resident.count(first, pages);
    size_t used_absent = 0; // objects that nobody has touched
    for (size_t p = 0; present != pages && p < pages; ++p)
        if (!resident.has(first + p))
            used_absent += used_on_page(s, p * page, page);
    const size_t all_resident = present * page;
    const size_t used_resident = used - used_absent;
    named_ledger* own = s.owner == nullptr ? nullptr : find(s.owner);
    if (own != nullptr)
        own->live += s.capacity - free_objects;
    portion& in_use = s.owner == nullptr ? classes[index_of(s.sc)].used : of(category::heap_live);
    portion& rest = s.owner == nullptr ? classes[index_of(s.sc)].free : of(category::heap_free);
    in_use.add(used, used_resident);
    rest.add(slice_count{s.count}.bytes() - used, all_resident - used_resident);
    if (own != nullptr) {
        own->in_use.add(used, used_resident);
        own->free.add(slice_count{s.count}.bytes() - used, all_resident - used_resident);
    }
}

void ledger::add_pool(const stretch& s, const block_picture& b, const os::page_bits& resident) noexcept {
    const size_t page = os::page_size();
    named_ledger* own = find(s.owner);
    const size_t end = slice_count{uint32_t{s.first} + s.count}.bytes() / page;
    for (size_t p = slice_count{s.first}.bytes() / page; p < end; ++p) {
        const bool taken = b.taken.has(p);
        const size_t here = resident.has(p) ? page : 0;
        of(taken ? category::pool_taken : category::pool_free).add(page, here);
        if (own != nullptr)
            (taken ? own->in_use : own->free).add(page, here);
    }
}

void ledger::add(const block_picture& b, const os::page_bits& resident) noexcept {
    const size_t pages_a_slice = slice_size / os::page_size();
    for (unsigned i = 0; i < b.count; ++i) {
        const stretch& s = b.stretches[i];
        const size_t bytes = slice_count{s.count}.bytes();
        const size_t here =
            resident.count(s.first * pages_a_slice, s.count * pages_a_slice) * os::page_size();
        switch (s.is) {
        case stretch::kind::free:
            of(category::run_free).add(bytes, here);
            break;
        case stretch::kind::going:
            of(category::cached).add(bytes, here);
            break;
        case stretch::kind::run:
            if (s.owner != nullptr) {
                of(category::heap_live).add(bytes, here);
                if (named_ledger* own = find(s.owner)) {
                    own->in_use.add(bytes, here);
                    own->live += s.usable != 0 ? 1 : 0;
                }
            } else if (s.cached) {
                of(category::cached).add(bytes, here);
            } else {
                classes[index_of(s.sc)].used.add(bytes, here);
            }
            break;
        case stretch::kind::slab:
            add_slab(s, resident);
            break;
        case stretch::kind::pool:
            add_pool(s, b, resident);
            break;
        }
    }
}

void ledger::close(const account& now) noexcept {
    counters = now;
    for (unsigned i = 0; i < all_classes; ++i) {
        const class_account& n = now.classes[i];
        const size_t objects = n.live + n.cached;
        const portion& used = classes[i].used;
        portion cached;
        if (objects != 0)
            cached = {static_cast<size_t>(static_cast<double>(used.bytes) * static_cast<double>(n.cached) /
                                          static_cast<double>(objects)),
                      static_cast<size_t>(static_cast<double>(used.resident) * static_cast<double>(n.cached) /
                                          static_cast<double>(objects))};
        of(category::cached).add(cached.bytes, cached.resident);
        of(category::live).add(used.bytes - cached.bytes, used.resident - cached.resident);
        of(category::slab_free).add(classes[i].free.bytes, classes[i].free.resident);
    }
    of(category::files).resident = process.all - process.anonymous;
    of(category::stack).resident = process.stack;
    size_t explained = 0;
    for (const portion& p : parts)
        explained += p.resident;
    of(category::other).resident = process.all > explained ? process.all - explained : 0;
}

} // namespace lowtide
