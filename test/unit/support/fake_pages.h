// A page source that tests can look into: address space of its own, a clock that they set, refusals that they
// order.
//
// The memory is real, so what is written to it stays until it is purged. The fake knows the state of every
// slice and fails the test when a call makes no sense (a purge of memory that isn't committed, a release of
// somebody else's). One lock guards it all. A page source has no context, so there is one fake at a time.
#pragma once

#include "base/units.h"
#include "pages/page_source.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <vector>

namespace lowtide::test {

// The calls that can be refused. There are no huge pages until a test says that they are not refused.
enum class system_call : unsigned { reserve, claim, commit, purge, release, map, fill, collapse, populate };
inline constexpr unsigned system_calls = 9;

class fake_pages {
public:
    fake_pages();
    ~fake_pages();
    fake_pages(const fake_pages&) = delete;
    fake_pages& operator=(const fake_pages&) = delete;

    [[nodiscard]] const page_source* source() const { return &source_; }

    // ---- the clock

    void advance(uint64_t ms) { now_ms_ += ms; }

    // The process has used so much processor time.
    void work(uint64_t us) { process_cpu_us_ += us; }
    // What the next huge pages take.
    void slow_fills(uint32_t cpu_us) { fill_us_ = cpu_us; }
    void slow_collapses(uint32_t cpu_us) { collapse_us_ = cpu_us; }
    // A child of fork has the pages of this block too.
    void share(uintptr_t block) { shared_.insert(block); }
    // Blocks that may have a huge page.
    [[nodiscard]] size_t huge_blocks() const { return huge_.size(); }
    // Of huge pages of which a part has gone back, how many have been made small pages.
    [[nodiscard]] size_t splits() const { return splits_; }
    [[nodiscard]] size_t plain_blocks() const { return plain_.size(); }

    // ---- refusals

    // Every call of this kind, until told otherwise.
    void refuse(system_call which, bool yes = true) { refused_[static_cast<unsigned>(which)] = yes; }
    // The n-th call (from 1) of those that can be refused, counted from now; 0 for none.
    void refuse_nth(unsigned n) { calls_until_refusal_ = n; }
    // Has the n-th call come, and been refused?
    [[nodiscard]] bool refused_nth() const { return calls_until_refusal_ == 0; }
    // Any block may be told to have none.
    void allow_plain_blocks() { plain_allowed_ = true; }
    // The kernel gives huge pages, and makes them, without being asked.
    void give_huge_pages_unasked() { huge_unasked_ = true; }
    // As RLIMIT_AS would: no more address space than this in all, records excepted.
    void limit_address_space(size_t bytes) { limit_ = bytes; }
    // Somebody else maps this place, which is free, or unmaps it again.
    void occupy(uintptr_t base, size_t bytes);
    void vacate(uintptr_t base, size_t bytes);

    // Called before each call, outside of the fake's lock.
    void on_call(std::function<void(system_call)> hook) { hook_ = std::move(hook); }

    // Called when space has been released, outside of the lock too.
    void on_released(std::function<void()> hook) { released_hook_ = std::move(hook); }

    // ---- what has happened

    [[nodiscard]] size_t count(system_call which) const { return counts_[static_cast<unsigned>(which)]; }
    // Address space that is taken from the fake, and how much of it is readable and writable.
    [[nodiscard]] size_t reserved_bytes() const {
        return (reserved_slices_ + committed_slices_) * slice_size;
    }
    [[nodiscard]] size_t committed_bytes() const { return committed_slices_ * slice_size; }
    // Of the pages that [base, base+bytes) touches, how much is in memory.
    [[nodiscard]] static size_t resident_bytes(uintptr_t base, size_t bytes);

private:
    enum class state : uint8_t { unmapped, reserved, committed, foreign };

    static constexpr size_t arena_bytes = size_t{4} << 30;

    static uintptr_t reserve(size_t bytes, size_t alignment) noexcept;
    static os::claimed claim(uintptr_t base, size_t bytes) noexcept;
    static bool commit(uintptr_t base, size_t bytes) noexcept;
    static void decommit(uintptr_t base, size_t bytes) noexcept;
    static bool purge(uintptr_t base, size_t bytes) noexcept;
    static os::huge_page_fill fill_with_huge_page(uintptr_t base, size_t bytes) noexcept;
    static bool populate(uintptr_t base, size_t bytes) noexcept;
    static bool collapse(uintptr_t base, size_t bytes) noexcept;
    static size_t count_own_pages(uintptr_t base, size_t bytes) noexcept;
    static void allow_huge_pages(uintptr_t base, size_t bytes) noexcept;
    static void no_more_huge_pages(uintptr_t base, size_t bytes) noexcept;
    static void split_huge_page(uintptr_t page) noexcept;
    static bool huge_pages_come_unasked() noexcept;
    static bool release(uintptr_t base, size_t bytes) noexcept;
    static uintptr_t map(size_t bytes, size_t alignment) noexcept;
    static size_t space_limit() noexcept;
    static uint64_t now_ms() noexcept;
    static uint64_t process_cpu_us() noexcept;
    static uint64_t thread_cpu_us() noexcept;

    [[nodiscard]] bool grants(system_call which);
    [[nodiscard]] bool all_are(uintptr_t base, size_t bytes, state wanted) const;
    void set(uintptr_t base, size_t bytes, state to);
    [[nodiscard]] bool in_arena(uintptr_t base) const { return base - arena_ < arena_bytes; }
    [[nodiscard]] size_t slice_of(uintptr_t base) const { return (base - arena_) / slice_size; }

    page_source source_;
    std::mutex mutex_;
    uintptr_t arena_;
    std::vector<state> slices_;
    std::map<uintptr_t, size_t> records_; // what map() has given
    std::set<uintptr_t> huge_;
    std::set<uintptr_t> plain_; // those that may not be huge
    std::set<uintptr_t> shared_;
    size_t splits_ = 0;
    uint32_t fill_us_ = 300;
    uint32_t collapse_us_ = 300;
    bool huge_unasked_ = false;
    bool plain_allowed_ = false;
    size_t reserved_slices_ = 0;
    size_t committed_slices_ = 0;
    size_t limit_ = arena_bytes;
    unsigned calls_until_refusal_ = 0;
    std::array<bool, system_calls> refused_{};
    std::array<size_t, system_calls> counts_{};
    std::function<void(system_call)> hook_;
    std::function<void()> released_hook_;
    std::atomic<uint64_t> now_ms_{1'000'000};
    std::atomic<uint64_t> process_cpu_us_{1'000'000};
    std::atomic<uint64_t> thread_cpu_us_{0};
};

} // namespace lowtide::test
