// The heap's part in the search for leaks (observe/reach.h), at the end of the process: which memory the
// program may have pointers in, and which objects there are.
#include "entry/heap.h"
#include "observe/profile.h"
#include "os/machine.h"
#include "os/program_memory.h"
#include "os/resident.h"
#include "os/vm.h"

namespace lowtide {

namespace {

// The program's memory, without what is the allocator's own: its records have addresses of objects, too.
class root_search {
public:
    root_search(reach& r, const page_map& map) noexcept : reach_(r), map_(map) {}
    ~root_search() {
        if (own_ != nullptr)
            os::release(reinterpret_cast<uintptr_t>(own_), own_bytes_);
        if (piece_ != 0)
            os::release(piece_, piece_bytes);
    }
    root_search(const root_search&) = delete;
    root_search& operator=(const root_search&) = delete;

    [[nodiscard]] bool start(size_t own_mappings) noexcept {
        own_bytes_ = align_up((own_mappings + 4) * sizeof(os::memory_range), os::page_size());
        own_ = reinterpret_cast<os::memory_range*>(os::map(own_bytes_, os::page_size()));
        piece_ = os::map(piece_bytes, os::page_size());
        if (own_ == nullptr || piece_ == 0)
            return false;
        leave_out(reinterpret_cast<uintptr_t>(own_), own_bytes_);
        leave_out(piece_, piece_bytes);
        return true;
    }
    void leave_out(uintptr_t base, size_t bytes) noexcept {
        if (bytes != 0 && (own_count_ + 1) * sizeof(os::memory_range) <= own_bytes_)
            own_[own_count_++] = {base, base + bytes};
    }

    void search(uintptr_t begin, uintptr_t end) noexcept {
        while (begin < end) {
            const uintptr_t skipped = behind_ours(begin);
            if (skipped != begin) {
                begin = skipped;
                continue;
            }
            uintptr_t to = align_down(begin, piece_bytes) + piece_bytes; // no block begins within
            to = to < end ? to : end;
            for (size_t i = 0; i < own_count_; ++i)
                if (own_[i].begin > begin && own_[i].begin < to)
                    to = own_[i].begin;
            search_piece(begin, to);
            begin = to;
        }
    }
    // Memory of ours that isn't searched as objects are.
    void search_whole(uintptr_t base, size_t bytes) noexcept { reach_.follow(found_object{base, bytes}); }

private:
    static constexpr size_t piece_bytes = slice_size;

    // Where what lies there ends, if that is the allocator's; else the address itself.
    [[nodiscard]] uintptr_t behind_ours(uintptr_t at) const noexcept {
        if (map_.in_block(at))
            return align_down(at, block_size) + block_size;
        for (size_t i = 0; i < own_count_; ++i)
            if (own_[i].begin <= at && at < own_[i].end)
                return own_[i].end;
        const span* there = map_.find(at);
        span s;
        if (there != nullptr && os::copy_if_there(&s, reinterpret_cast<uintptr_t>(there), sizeof(s)) &&
            s.base <= at && at < s.mapping + s.mapping_bytes)
            return s.mapping + s.mapping_bytes;
        return at;
    }

    void search_piece(uintptr_t begin, uintptr_t end) noexcept {
        begin = align_up(begin, sizeof(uintptr_t));
        if (pages_.bytes_in(begin, end - begin) == 0)
            return;
        auto* words = reinterpret_cast<uintptr_t*>(piece_);
        if (os::copy_if_there(words, begin, end - begin))
            return reach_.follow(words, (end - begin) / sizeof(uintptr_t));
        for (uintptr_t at = begin; at < end;) { // a page of it can't be read
            const uintptr_t next = align_down(at, os::page_size()) + os::page_size();
            const uintptr_t to = next < end ? next : end;
            if (os::copy_if_there(words, at, to - at))
                reach_.follow(words, (to - at) / sizeof(uintptr_t));
            at = to;
        }
    }

    reach& reach_;
    const page_map& map_;
    os::resident_pages pages_;
    os::memory_range* own_ = nullptr;
    size_t own_bytes_ = 0;
    size_t own_count_ = 0;
    uintptr_t piece_ = 0;
};

} // namespace

template <typename Visit>
void heap::for_each_object(Visit visit) noexcept {
    pages_.for_each_span([&](span& s) {
        if (s.owned || s.kind == span_kind::pool || s.parked)
            return;
        if (s.kind != span_kind::slab)
            return visit(found_object{s.base, s.object_size});
        for (size_t i = 0; i < s.capacity; ++i)
            if ((s.bitmap()[i / 64] >> i % 64 & 1) == 0)
                visit(found_object{s.base + i * s.object_size, s.object_size});
    });
    map_->for_each_outside_blocks([&](const span* there) {
        span s;
        if (os::copy_if_there(&s, reinterpret_cast<uintptr_t>(there), sizeof(s)) && s.kind == span_kind::huge)
            visit(found_object{s.base, s.object_size});
    });
}

// The stack first, before ours has any addresses on it that were found elsewhere. Registers are on it by
// then.
[[gnu::noinline]] bool heap::follow_roots(reach& r) noexcept {
    root_search roots(r, *map_);
    constexpr size_t at_once = 32;
    metadata::mapping some[at_once];
    size_t count = 0;
    for (size_t copied = at_once; copied == at_once; count += copied)
        copied = records_.copy_mappings(count, some, at_once);
    if (!roots.start(count + huge_.count() + 4 * at_once))
        return false;
    for (size_t first = 0, copied = at_once; copied == at_once; first += copied) {
        copied = records_.copy_mappings(first, some, at_once);
        for (size_t i = 0; i < copied; ++i)
            roots.leave_out(some[i].base, some[i].bytes);
    }
    map_->for_each_leaf([&](page_map_leaf& leaf, size_t) {
        roots.leave_out(reinterpret_cast<uintptr_t>(&leaf), sizeof(leaf));
    });
    map_->for_each_outside_blocks([&](const span* there) { // a huge object's record is in front of it
        roots.leave_out(reinterpret_cast<uintptr_t>(there), os::page_size());
    });
    r.for_each_mapping([&](uintptr_t base, size_t bytes) { roots.leave_out(base, bytes); });
    const os::memory_range own = os::own_data();
    roots.leave_out(own.begin, own.end - own.begin);
    roots.leave_out(reinterpret_cast<uintptr_t>(&lowtide_fast), sizeof(lowtide_fast));

    __builtin_unwind_init(); // registers, onto the stack
    const auto stack = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
    if (!os::for_each_writable_mapping(
            stack,
            [](void* to, uintptr_t begin, uintptr_t end) noexcept {
                static_cast<root_search*>(to)->search(begin, end);
            },
            &roots))
        return false;
    pages_.for_each_span([&](span& s) {
        if (s.owned || s.kind == span_kind::pool)
            roots.search_whole(s.base, s.length.bytes());
    });
    r.complete([this](auto visit) { for_each_object(visit); });
    return true;
}

// What has leaked is direct where nothing that has leaked leads to it. Of a ring, to which only its own parts
// do, one part is.
bool heap::find_leaks(samples::leaks& found) noexcept {
    if (relieving_.lock_outermost() == os::acquired::mine)
        return false;
    front_.drain(); // what magazines have is in use for its slab
    reach all(*map_);
    reach behind_leaks(*map_, &all);
    reach explained(*map_, &all);
    const bool done = all.start() && behind_leaks.start() && explained.start() && follow_roots(all);
    const auto for_each_leak = [&](auto visit) {
        samples_.for_each_object([&](uintptr_t address) {
            const found_object o = all.object_at(address);
            if (o.size != 0 && !all.is_reached(address))
                visit(o);
        });
    };
    if (done) {
        for_each_leak([&](const found_object& o) {
            if (!behind_leaks.is_reached(o.base))
                behind_leaks.follow(o);
        });
        for_each_leak([&](const found_object& o) {
            if (!behind_leaks.is_reached(o.base) && explained.mark(o.base))
                explained.follow(o);
        });
        found = samples_.measure_leaked([&](uintptr_t address) {
            const found_object o = all.object_at(address);
            if (o.size == 0 || all.is_reached(address))
                return samples::leak::none;
            if (!behind_leaks.is_reached(address))
                return samples::leak::direct;
            if (!explained.mark(address))
                return samples::leak::indirect;
            explained.follow(o);
            return samples::leak::direct;
        });
    }
    relieving_.unlock_outermost();
    return done;
}

void heap::print_leaks(printer& out, const samples::leaks& found) noexcept {
    lowtide::print_profile(out, samples_, settings_.sample, {sampling_since_ns_, os::unix_ns()}, &found);
}

} // namespace lowtide
