// The heap of the process: the tiers, put together. The functions here are what malloc and its relatives
// mean, without errno and without the standards' special cases, which are in malloc.cpp.
#pragma once

#include "base/options.h"
#include "entry/account_file.h"
#include "entry/live_view.h"
#include "entry/mailbox.h"
#include "entry/watch.h"
#include "front/front.h"
#include "observe/account.h"
#include "observe/formats.h"
#include "observe/reach.h"
#include "observe/samples.h"
#include "pages/huge.h"
#include "pages/runs.h"
#include "pool/block_pool.h"
#include "pool/own_heap.h"
#include "pool/registry.h"

extern "C" __attribute__((visibility("hidden"))) lowtide::fast_state lowtide_fast;

namespace lowtide {

namespace os {
class resident_pages;
}
struct block_picture;

class heap {
public:
    constexpr heap();

    // Any function below may be the first to be called, by any thread, before any constructor has run.
    // False in a signal handler that has interrupted the start: what it wants goes round the tiers.
    bool start() noexcept { return started_.load(std::memory_order_acquire) || start_once(); }

    // `size` is at most max_request. Null when memory is short.
    [[nodiscard]] void* allocate(size_t size) noexcept;
    [[nodiscard]] void* allocate_zeroed(size_t size) noexcept;
    // `alignment` is a power of two.
    [[nodiscard]] void* allocate_aligned(size_t alignment, size_t size) noexcept;

    // `call` is what the program called, for the message when `p` is wrong; then these do not return.
    void release(void* p, const char* call) noexcept;
    [[nodiscard]] size_t usable_size(const void* p, const char* call) noexcept;
    // Does `p` stay where it is when it is to hold `size` bytes? Looks no further than free() does, at the
    // class. False: reallocate() knows.
    [[nodiscard]] bool stays(const void* p, size_t size) const noexcept {
        const size_class c = map_->class_at(reinterpret_cast<uintptr_t>(p));
        return c != size_class{} && !is_run_class(c) && wastes_little(object_size(c), size) &&
               !settings_.check;
    }
    // Does not return when `p` can't be what was got for this size and alignment (a power of two).
    [[gnu::cold]] void check_size(const void* p, size_t alignment, size_t size, const char* call) noexcept;
    // `p` is not null, `size` is neither 0 nor above max_request. Null when memory is short: then `p` is as
    // it was.
    [[nodiscard]] void* reallocate(void* p, size_t size) noexcept;

    [[nodiscard, gnu::cold]] bool owns(const void* p) const noexcept;

    // Everything that can go back to the system; the bytes.
    [[gnu::cold]] size_t trim() noexcept;

    // One step of returning memory without being asked: what has rested since the last one; or everything,
    // when the program is `quiet`. For the background thread.
    [[gnu::cold]] void ebb(bool quiet) noexcept;
    // Huge pages for what has long been full. True: there is more to do. For the background thread.
    [[gnu::cold]] bool collapse_dense() noexcept;
    // Every 100 ms: what limits, the machine's memory and the mailbox have to say. For the same thread.
    [[gnu::cold]] void look_around() noexcept;
    // Whether there is one in this process.
    [[gnu::cold]] void attend(bool yes) noexcept { front_.set_attended(yes); }

    // What has been free in block pools for its time. True: there may be more later. For the background
    // thread.
    [[nodiscard, gnu::cold]] bool tend_pools() noexcept;
    [[nodiscard]] registry<block_pool>& pools() noexcept { return pools_; }
    [[nodiscard]] registry<own_heap>& own_heaps() noexcept { return own_heaps_; }
    [[nodiscard, gnu::cold]] pool_surroundings surroundings_of_pools() noexcept;
    [[nodiscard, gnu::cold]] heap_surroundings surroundings_of_heaps() noexcept;
    // For what isn't on any path that matters: zeroed, and away from the program's own memory.
    [[nodiscard, gnu::cold]] void* allocate_record(size_t bytes) noexcept;
    [[gnu::cold]] void free_record(void* record, size_t bytes) noexcept {
        records_.deallocate(record, bytes);
    }

    [[gnu::cold]] void fill(account& a) noexcept;
    // What is in memory, and what for (observe/ledger.h), as of now.
    [[nodiscard, gnu::cold]] account_result print_account(printer& out, account_format format) noexcept;

    // One allocation is recorded every so many bytes on average; 0: none.
    [[gnu::cold]] void set_sampling(size_t rate) noexcept;
    // Does somebody who asks now and then want this process to look?
    [[nodiscard]] bool is_watched() const noexcept {
        return is_sampling() || settings_.account_s != 0 || live_.is_read();
    }
    [[nodiscard]] account_file& file_of_account() noexcept { return account_file_; }
    [[nodiscard]] bool is_sampling() const noexcept { return front_.sampling() != 0; }
    // The heap profile (observe/profile.h), as of now. False when nothing was ever sampled.
    [[gnu::cold]] bool print_profile(printer& out) noexcept;

    // What of the samples nobody can reach (entry/leaks.cpp): then print_leaks(). False when there is no
    // memory to look for it, or the system doesn't say where the program's is.
    [[nodiscard, gnu::cold]] bool find_leaks(samples::leaks& found) noexcept;
    [[gnu::cold]] void print_leaks(printer& out, const samples::leaks& found) noexcept;

    [[nodiscard]] const options& settings() const noexcept { return settings_; }
    [[nodiscard]] os::rseq_support policy() const noexcept { return front_.words().policy(); }

private:
    bool start_once() noexcept;
    void read_options() noexcept;
    [[gnu::cold, gnu::noinline]] void read_option_file() noexcept;
    [[nodiscard]] void* try_allocate(size_t size, size_t alignment, bool& zeroed) noexcept;
    [[nodiscard]] void* allocate_any(size_t size, size_t alignment, bool& zeroed) noexcept;
    [[nodiscard, gnu::cold]] void* allocate_alone(size_t size, size_t alignment, bool& zeroed) noexcept;
    [[gnu::cold]] void* allocate_scarce(size_t size, size_t alignment, bool& zeroed) noexcept;
    [[gnu::noinline]] void give_attention() noexcept;
    [[gnu::cold]] void keep_limits(bool look) noexcept;
    [[gnu::cold]] void tell_who_asks() noexcept;
    [[gnu::cold]] void answer_mail() noexcept;
    [[gnu::cold]] void write_live_pages(uint64_t now_ms) noexcept;
    [[gnu::cold]] size_t return_all() noexcept;
    [[gnu::cold]] void give_holes_back(unsigned rest) noexcept;
    [[gnu::cold]] void begin_sampling() noexcept;
    [[gnu::cold]] void consider_sample(void* p, size_t size) noexcept;
    [[gnu::cold]] void record_sample(span& s, const void* p, size_t size) noexcept;
    [[nodiscard, gnu::cold]] bool forget_sample(span& s, const void* p) noexcept;
    [[nodiscard]] bool fill(ledger& l, block_picture& picture) noexcept;
    [[nodiscard]] bool follow_roots(reach& r) noexcept;
    template <typename Visit>
    void for_each_object(Visit visit) noexcept;
    void list_named(ledger& l) noexcept;
    void walk_huge(ledger& l, os::resident_pages& pages) noexcept;
    void walk_metadata(ledger& l, os::resident_pages& pages) noexcept;
    [[nodiscard]] bool has_sampled() const noexcept { return sampling_since_ns_ != 0; }
    [[gnu::cold]] void note_size(void* p, size_t size) noexcept;
    [[nodiscard, gnu::cold]] span* resize_huge(span& s, size_t size) noexcept;
    void release_span(span& s, void* p) noexcept;
    [[gnu::cold]] void release_deferred() noexcept;
    [[nodiscard]] span& span_of(const void* p, const char* call) noexcept;
    [[nodiscard]] void* allocate_for_move(size_t size) noexcept;
    [[nodiscard]] void* resize_or_move(span& s, void* p, size_t size) noexcept;
    [[nodiscard]] void* move(void* p, size_t old_size, size_t size) noexcept;

    page_source source_{};
    watched_system system_{};
    options settings_{};
    ceiling limits_;
    page_map* map_;
    metadata records_;
    page_tier pages_;
    run_tier runs_;
    huge_tier huge_;
    slab_tier slabs_;
    front front_;
    watch watch_;
    samples samples_;
    std::atomic<uint64_t> sampling_since_ns_{0}; // unix time; 0: never
    mailbox mailbox_;
    account_file account_file_;
    live_view live_;
    registry<block_pool> pools_;
    registry<own_heap> own_heaps_;
    os::mutex starting_;
    // Held, outermost, while everything that is free is on its way to the system: a thread that finds no
    // memory then has to wait for what another has in its hands.
    os::mutex relieving_;
    std::atomic<bool> started_{false};
};

extern constinit heap the_heap;

} // namespace lowtide
