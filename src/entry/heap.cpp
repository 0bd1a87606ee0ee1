#include "entry/heap.h"

#include "base/print.h"
#include "entry/background.h"
#include "entry/fast_path.h"
#include "guard/wrong_free.h"
#include "os/environment.h"
#include "os/machine.h"
#include "os/probe.h"
#include "os/thread.h"
#include "os/vm.h"
#include "pool/quarantine.h"
#include "pool/region.h"

#include <cstring>

namespace lowtide {

namespace {

// From this size on, a block that realloc has to move goes to a mapping of its own: its next growth moves
// pages, not bytes. Below, copying costs less than the faults of fresh memory.
constexpr size_t growing_threshold = 4 * mebibyte;
// A block that grows by less than this share of itself, and has to move for it, will grow again: it gets that
// much more. Not from here on in slabs, where the classes' own steps are as wide: it would skip one, and
// lists of Redis, which grow to 8 KiB and stay, took 10 KiB each.
constexpr size_t growth_share = 4;
constexpr size_t wide_steps_from = 4 * kibibyte;
// Reading the clock takes a tenth of the time of the fastest slow calls.
constexpr uint32_t slow_calls_a_look = 16;
constexpr bool has_wide_steps(size_t size) {
    return size > wide_steps_from && size <= max_slab_object;
}

[[gnu::cold]] void report_from_front(free_error error, const void* object, size_class) noexcept {
    report_wrong_pointer("free", error, object, lowtide_fast.map.around(reinterpret_cast<uintptr_t>(object)));
}

[[gnu::cold]] void warn(void*, std::string_view line) noexcept {
    char text[512];
    printer out(text);
    out.print("{}\n", line);
    os::write_all(2, out.text().data(), out.text().size());
}

} // namespace

// What begins as zeros is apart from what doesn't: a process has only the pages of it that it uses.
constinit static slab_shards the_shards;
constinit static depot the_depot;
constinit static chance the_chance;
constinit static os::control_group the_group;

constexpr heap::heap()
    : map_(&lowtide_fast.map), records_(&source_), pages_(&source_, map_, &records_, &settings_, &limits_),
      runs_(&pages_, map_, &records_, &source_), huge_(map_, &settings_, &source_, &limits_),
      slabs_(&the_shards, &pages_, map_, &records_),
      front_(&lowtide_fast, &the_depot, &the_chance, &slabs_, &runs_, &pages_, map_, &records_, &settings_,
             &source_, report_from_front),
      watch_(&limits_, &settings_, &the_group, &system_), samples_(&records_, map_) {}

constinit heap the_heap;

// ---- start

// Apart: the text takes two pages of the stack.
void heap::read_option_file() noexcept {
    char text[max_option_text];
    const long length = os::read_file(option_file.data(), text, sizeof(text));
    if (length > 0)
        settings_.parse({text, static_cast<size_t>(length)}, option_source::file, {warn, nullptr});
}

void heap::read_options() noexcept {
    if (os::exists(option_file.data()))
        read_option_file();
    os::with_variable(
        option_variable,
        [](void* settings, std::string_view value) noexcept {
            static_cast<options*>(settings)->parse(value, option_source::environment, {warn, nullptr});
        },
        &settings_);
}

bool heap::start_once() noexcept {
    const os::acquired lock = starting_.lock();
    if (lock == os::acquired::mine)
        return false;
    if (!started_.load(std::memory_order_relaxed)) {
        // A few pages of 3 MiB are used: where huge pages come unasked, it would be 2 MiB.
        os::no_more_huge_pages(reinterpret_cast<uintptr_t>(&lowtide_fast), sizeof(lowtide_fast));
        read_options();
        guarded_ceiling = &limits_;
        if (settings_.check)
            guard_all_regions();
        if ((settings_.limit | settings_.hard_limit) != 0)
            watch_.apply_options();
        mailbox_.start(settings_.control && !os::is_secure());
        front_.start(os::possible_cpus(), os::usable_cpus());
        if (settings_.sample != 0 || settings_.leaks)
            begin_sampling();
        prepare_fast_paths(front_.words());
        the_background.allow(settings_.background);
        started_.store(true, std::memory_order_release);
    }
    starting_.unlock();
    return true;
}

// ---- allocate

static void* start_of(const span_result& result, bool& zeroed) noexcept {
    zeroed = result.zeroed;
    return result.s == nullptr ? nullptr : reinterpret_cast<void*>(result.s->base);
}

// What can be had at once; null when memory is short or a signal handler has interrupted us.
void* heap::try_allocate(size_t size, size_t alignment, bool& zeroed) noexcept {
    zeroed = false;
    size = size == 0 ? 1 : size;
    if (alignment <= slice_size && size <= max_slab_object) {
        return front_.allocate(alignment > min_alignment ? class_holding(size, alignment)
                                                         : class_holding(size));
    }
    if (alignment > block_size || size >= settings_.huge_bytes ||
        (alignment > slice_size && size > block_size)) {
        return start_of(huge_.allocate(size, alignment), zeroed);
    }
    if (alignment <= slice_size && size <= max_class_object) {
        const size_class c = class_holding(size);
        void* p = front_.allocate_cached(c);
        if (p != nullptr)
            return p;
    }
    return start_of(front_.allocate_run(size, alignment), zeroed);
}

void* heap::allocate_any(size_t size, size_t alignment, bool& zeroed) noexcept {
    if (!start()) [[unlikely]]
        return allocate_alone(size, alignment, zeroed);
    lowtide_thread.interrupted = false;
    the_background.note_call();
    huge_.tick();
    // Magazines look at the clock when they are exchanged; large blocks don't come by there.
    if (++lowtide_thread.slow_calls % slow_calls_a_look == 0)
        front_.tick();
    if (limits_.is_attention_due()) [[unlikely]]
        give_attention();
    void* p = try_allocate(size, alignment, zeroed);
    if (p != nullptr) [[likely]] {
        if (is_sampling()) [[unlikely]]
            consider_sample(p, size);
        return p;
    }
    // A request that is out of reach must not cost the program its caches.
    if (!lowtide_thread.interrupted && size <= limits_.hard() && size <= os::attainable_memory())
        p = allocate_scarce(size, alignment, zeroed);
    return p == nullptr && lowtide_thread.interrupted ? allocate_alone(size, alignment, zeroed) : p;
}

// For a signal handler that has interrupted this allocator: a mapping of its own, for which no lock is
// needed.
void* heap::allocate_alone(size_t size, size_t alignment, bool& zeroed) noexcept {
    lowtide_thread.interrupted = false;
    return start_of(huge_.allocate(size == 0 ? 1 : size, alignment), zeroed);
}

void* heap::allocate(size_t size) noexcept {
    bool zeroed = false;
    return allocate_any(size, min_alignment, zeroed);
}

void* heap::allocate_zeroed(size_t size) noexcept {
    bool zeroed = false;
    void* p = allocate_any(size, min_alignment, zeroed);
    if (p != nullptr && !zeroed)
        os::zero(p, size);
    return p;
}

void* heap::allocate_aligned(size_t alignment, size_t size) noexcept {
    bool zeroed = false;
    if (size > max_request - alignment)
        return nullptr;
    return allocate_any(size, alignment, zeroed);
}

// Memory has run out: all that is free goes back, address space too, so that any size can be had from it.
void* heap::allocate_scarce(size_t size, size_t alignment, bool& zeroed) noexcept {
    if (relieving_.lock_outermost() == os::acquired::mine)
        return nullptr;
    void* p = try_allocate(size, alignment, zeroed); // another thread may have seen to it
    if (p == nullptr) {
        front_.drain();
        pools_.for_each([](block_pool& pool) { pool.trim(); });
        huge_.release_parked();
        if (limits_.hard() != SIZE_MAX)
            pages_.purge_all(); // what is dirty counts as well
        do {
            pages_.surrender();
            p = try_allocate(size, alignment, zeroed);
        } while (p == nullptr && pages_.await_purges());
    }
    relieving_.unlock_outermost();
    return p;
}

size_t heap::trim() noexcept {
    start();
    if (relieving_.lock_outermost() == os::acquired::mine)
        return 0;
    const size_t bytes = return_all();
    relieving_.unlock_outermost();
    return bytes;
}

// With relieving_.
size_t heap::return_all() noexcept {
    const size_t before = pages_.counts().purged_bytes;
    front_.drain();
    give_holes_back(0);
    pools_.for_each([](block_pool& p) { p.trim(); });
    pages_.purge_all();
    const size_t after = pages_.counts().purged_bytes;
    // Elsewhere it stays reserved: in a hole another mapping might take its place for good.
    if (os::address_space_limit() != SIZE_MAX)
        pages_.surrender();
    const size_t returned = after - before + huge_.release_parked();
    LOWTIDE_PROBE(lowtide, trim, returned);
    return returned;
}

void heap::give_holes_back(unsigned rest) noexcept {
    bool left = false;
    slabs_.give_holes_back(rest, left);
    own_heaps_.for_each([&](own_heap& h) { h.give_holes_back(rest, left); });
}

// In a slow call, when it is time, or so much is held. Where there is a background thread the looking around
// is left to that.
void heap::give_attention() noexcept {
    const bool looks = !front_.is_attended();
    const bool is_small = limits_.held() < ceiling::least_watched;
    // Of others, who comes to the soft limit meanwhile waits for the relief.
    limits_.expect_attention_after(SIZE_MAX);
    limits_.expect_attention_at(is_small ? ceiling::least_watched : watch_.relief_at());
    if (looks)
        tell_who_asks();
    if (is_small && limits_.soft() == SIZE_MAX)
        return;
    if (!looks && watch_.is_look_due()) // else it will look in time
        the_background.hurry();
    keep_limits(looks);
}

void heap::ebb(bool quiet) noexcept {
    constexpr unsigned rest = 2;
    const bool returns = settings_.decay_ms >= 0;
    if (relieving_.lock_outermost() == os::acquired::mine)
        return;
    front_.return_rested(quiet);
    if (returns)
        give_holes_back(quiet ? 0 : rest);
    if (quiet && returns) {
        pages_.purge_all();
        huge_.release_parked();
    } else {
        pages_.tick();
        huge_.tick();
    }
    relieving_.unlock_outermost();
}

// ---- block pools and heaps of the program's own

bool heap::tend_pools() noexcept {
    if (pools_.is_empty() || relieving_.lock_outermost() == os::acquired::mine)
        return false;
    bool more = false;
    pools_.for_each([&more](block_pool& p) { more |= p.tick(); });
    relieving_.unlock_outermost();
    return more;
}

pool_surroundings heap::surroundings_of_pools() noexcept {
    start();
    // Where the kernel can't restart sequences, nobody could say that all blocks are taken.
    const bool restarts = os::restart_sequences();
    return {&pages_,
            map_,
            &records_,
            &source_,
            &settings_,
            {restarts ? front_.words().policy() : os::rseq_support::locked, front_.words().place(),
             front_.words().rows()},
            []() noexcept { the_background.note_call(); },
            []() noexcept { return the_heap.front_.is_attended(); },
            []() noexcept { return the_heap.trim(); }};
}

heap_surroundings heap::surroundings_of_heaps() noexcept {
    start();
    return {&pages_, map_, &records_, []() noexcept { return the_heap.trim(); },
            [](free_error error, const void* object, const span* s) noexcept {
                report_wrong_pointer("lowtide_heap_free", error, object, s);
            }};
}

void* heap::allocate_record(size_t bytes) noexcept {
    start();
    return records_.allocate(bytes);
}

// Nobody returns memory meanwhile: a hole would be filled again.
bool heap::collapse_dense() noexcept {
    if (relieving_.lock_outermost() == os::acquired::mine)
        return false;
    const bool more = pages_.collapse_dense();
    relieving_.unlock_outermost();
    return more;
}

// ---- release

// The span whose object, or one of whose objects, begins at `p`. Does not return for any other pointer.
span& heap::span_of(const void* p, const char* call) noexcept {
    const auto address = reinterpret_cast<uintptr_t>(p);
    span* s = map_->find(address);
    if (s == nullptr)
        s = map_->around(address);
    if (s == nullptr) {
        const bool ours = map_->in_block(address);
        report_wrong_pointer(call, ours ? free_error::double_free : free_error::foreign, p, nullptr);
    }
    if (s->kind == span_kind::pool)
        report_pool_block(call, p);
    if (s->kind == span_kind::slab ? !is_object_start(*s, address) : s->base != address)
        report_wrong_pointer(call, free_error::interior, p, s);
    if (s->parked)
        report_wrong_pointer(call, free_error::double_free, p, s);
    if (settings_.check && s->kind == span_kind::slab && !s->owned) {
        const free_error error = slabs_.examine(*s, p);
        if (error != free_error::none)
            report_wrong_pointer(call, error, p, s);
    }
    return *s;
}

void heap::release_span(span& s, void* p) noexcept {
    if (s.has_samples() && !forget_sample(s, p)) [[unlikely]]
        front_.defer(p);
    else if (s.owned) [[unlikely]]
        own_heap::of(s)->release(s, p);
    else if (s.kind == span_kind::huge)
        huge_.deallocate(s);
    else if (s.sc != size_class{})
        front_.release(s.sc, p);
    else
        front_.release_run(s);
}

void heap::release(void* p, const char* call) noexcept {
    span& s = span_of(p, call);
    if (!start() && s.kind != span_kind::huge) {
        front_.defer(p);
        return;
    }
    release_span(s, p);
    the_background.note_call();
    huge_.tick();
    if (front_.has_deferred()) [[unlikely]]
        release_deferred();
}

// What signal handlers freed while they interrupted us.
void heap::release_deferred() noexcept {
    if (lowtide_thread.interrupted) {
        lowtide_thread.interrupted = false; // we are in such a handler: later
        return;
    }
    for (void* p = front_.take_deferred(); p != nullptr;) {
        void* next = front::next_deferred(p);
        release_span(span_of(p, "free"), p);
        p = next;
    }
}

// ---- size

size_t heap::usable_size(const void* p, const char* call) noexcept {
    return span_of(p, call).object_size;
}

void heap::check_size(const void* p, size_t alignment, size_t size, const char* call) noexcept {
    const size_t usable = usable_size(p, call);
    if (size > usable || reinterpret_cast<uintptr_t>(p) % alignment != 0)
        report_wrong_size(call, p, usable, alignment, size);
}

bool heap::owns(const void* p) const noexcept {
    return map_->around(reinterpret_cast<uintptr_t>(p)) != nullptr;
}

// Most objects that grow are small and find their next one in the magazines.
void* heap::allocate_for_move(size_t size) noexcept {
    bool zeroed = false;
    return size <= max_slab_object ? lowtide_malloc(size) : allocate_any(size, min_alignment, zeroed);
}

void* heap::move(void* p, size_t old_size, size_t size) noexcept {
    void* to = nullptr;
    const size_t room = old_size + old_size / growth_share;
    if (size > old_size && size < room && room < growing_threshold && !has_wide_steps(size))
        to = allocate_for_move(room);
    if (size > old_size && size >= growing_threshold) {
        bool zeroed = false;
        to = start_of(huge_.allocate(size, min_alignment), zeroed);
        if (is_sampling() && to != nullptr) [[unlikely]]
            consider_sample(to, size);
    }
    if (to == nullptr)
        to = allocate_for_move(size);
    if (to == nullptr)
        return nullptr;
    memcpy(to, p, old_size < size ? old_size : size);
    lowtide_free(p);
    return to;
}

void* heap::reallocate(void* p, size_t size) noexcept {
    start();
    span& s = span_of(p, "realloc");
    if (s.owned) [[unlikely]]
        return own_heap::of(s)->reallocate(s, p, size);
    void* to = resize_or_move(s, p, size);
    if (has_sampled() && to != nullptr) [[unlikely]]
        note_size(to, size);
    return to;
}

void* heap::resize_or_move(span& s, void* p, size_t size) noexcept {
    const size_t old_size = s.object_size;
    switch (s.kind) {
    case span_kind::slab:
        if (wastes_little(object_size(s.sc), size) || class_holding(size) == s.sc)
            return p;
        break;
    case span_kind::run:
        // A magazine must not come to hand out what has another size now.
        if (front_.holds(s.sc, p))
            report_wrong_pointer("realloc", free_error::double_free, p, &s);
        if (runs_.resize(s, size))
            return p;
        break;
    case span_kind::huge:
        if (span* resized = resize_huge(s, size))
            return reinterpret_cast<void*>(resized->base);
        break;
    case span_kind::pool: // not from span_of()
        break;
    }
    void* to = move(p, old_size, size);
    return to == nullptr && size <= old_size ? p : to;
}

// ---- account

void heap::fill(account& a) noexcept {
    start();
    for (unsigned i = 1; i < all_classes; ++i) {
        const size_class c{static_cast<uint8_t>(i)};
        class_account& in = a.classes[i];
        in.size = object_size(c);
        in.cached = front_.cached(c);
        if (is_run_class(c)) {
            in.objects = in.live = runs_.count(c);
        } else {
            const class_counts n = slabs_.counts(c);
            in.slabs = n.slabs;
            in.objects = n.objects;
            in.live = n.objects - n.free_objects;
            a.slack_bytes += n.free_objects * in.size;
            a.hole_bytes += n.hole_bytes;
        }
        in.live -= in.cached < in.live ? in.cached : in.live;
        a.live_bytes += in.live * in.size;
        a.cached_bytes += in.cached * in.size;
    }
    a.large_count = runs_.count(size_class{});
    a.large_bytes = runs_.unclassed_bytes();
    a.huge_count = huge_.count();
    a.huge_bytes = huge_.bytes();
    const parked_runs parked = front_.parked();
    a.cached_bytes += parked.bytes;
    a.large_count -= parked.count;
    a.large_bytes -= parked.bytes;
    a.live_bytes += a.large_bytes + a.huge_bytes;
    a.metadata_bytes = records_.mapped_bytes();
    a.pages = pages_.counts();
    a.pages.committed_bytes += huge_.parked_bytes();
    a.pages.dirty_bytes += huge_.parked_bytes();
    a.held_bytes = limits_.held();
    a.soft_limit = limits_.soft();
    a.hard_limit = limits_.hard();
    a.returned_bytes = a.pages.purged_bytes + huge_.returned_bytes();
}

} // namespace lowtide
