// The words of the rows, and the three operations on them, under either owner policy: a row belongs to a
// concurrency id, and the operations are restartable sequences; or it belongs to a slot that threads share,
// and they run under the slot's lock. The slow paths above are the same for both.
#pragma once

#include "front/chance.h"
#include "front/fast_state.h"
#include "front/magazine.h"
#include "os/mutex.h"
#include "os/rseq.h"

#include <atomic>

namespace lowtide {

// Which of a row's two words for a class.
enum class position : uint8_t { loaded, spare };

struct parked_runs {
    size_t count = 0;
    size_t bytes = 0;
};

class cache {
public:
    constexpr explicit cache(fast_state* state) : state_(state) {}

    // Decides the policy; `cpus` bounds the ids, 0 when it is not known. Called once, before any other
    // function.
    void start(bool use_rseq, unsigned cpus, unsigned usable_cpus) noexcept;

    // An object from the loaded magazine; null when it is empty or the caller should go round the cache.
    [[nodiscard]] void* pop(size_class c) noexcept;

    // Into the loaded magazine; false when it is full or the caller should go round the cache.
    [[nodiscard]] bool push(size_class c, void* p) noexcept;

    // The row that the thread works on, and whether it has no loaded magazine at all. Hints: the thread may
    // be elsewhere by the time it looks at the answer.
    [[nodiscard]] unsigned row() noexcept;
    [[nodiscard]] bool is_vacant(size_class c) noexcept;

    // Stores `next` and gives what was there. False: nothing was done, the caller goes round the cache. That
    // happens when the kernel restarts the sequence again and again (a debugger that single-steps) and when a
    // signal handler interrupted the holder of the slot's lock.
    [[nodiscard]] bool exchange(size_class c, position where, const stock& next, stock& previous) noexcept;

    // The same for the row's one large run; null is none.
    [[nodiscard]] bool exchange_parked(span* next, span*& previous) noexcept;
    [[nodiscard, gnu::cold]] parked_runs parked() const noexcept;

    // Everything that all rows hold, whichever processor they belong to. While it is collected, the fast
    // paths are closed without costing them an instruction: sizes and addresses lead to class 0, which has no
    // magazine; a membarrier then restarts the sequences that still saw something else. A fork in that moment
    // leaves the child's closed: mend().
    struct holdings {
        magazine* of_class[all_classes]{}; // linked by `next`, counts in `stored`
        span* parked = nullptr;            // linked by `next`
    };
    [[gnu::cold]] void collect(holdings& all) noexcept { collect(all, nullptr); }

    // Of that, what nobody has touched since the last call with this `seen`, rows() of them, zeroed at first.
    [[gnu::cold]] void collect_rested(holdings& all, magazine_row* seen) noexcept;
    // From now on malloc's fast path counts the bytes of small allocations, in the row, and goes to the slow
    // one when the countdown is over (counting.cpp); or it doesn't any more. Begins all countdowns anew.
    [[gnu::cold]] void set_counting(bool yes, chance& distances) noexcept;
    [[nodiscard]] bool counts() const noexcept { return __atomic_load_n(&counts_, __ATOMIC_RELAXED); }
    // Of this row.
    [[gnu::cold]] void restart_countdown(int64_t bytes) noexcept;

    void mend() noexcept {
        if (__atomic_load_n(&place_.closed, __ATOMIC_RELAXED) != 0) [[unlikely]]
            reopen();
    }

    [[nodiscard]] os::rseq_support policy() const noexcept { return policy_; }
    [[nodiscard]] const os::rseq_place& place() const noexcept { return place_; }
    [[nodiscard]] unsigned rows() const noexcept { return rows_; }

    // Objects in the magazines of a class, in all rows: exact when no other thread runs.
    [[nodiscard, gnu::cold]] size_t count(size_class c) const noexcept;
    // Magazines in use in all rows.
    [[nodiscard, gnu::cold]] size_t magazines() const noexcept;

private:
    // A thread that is interrupted this often in a row inside a few instructions is being single-stepped.
    static constexpr int max_restarts = 16;
    [[gnu::cold]] void collect(holdings& all, magazine_row* seen) noexcept;
    [[gnu::cold]] void collect_row(magazine_row& row, holdings& all, magazine_row* seen) noexcept;
    [[nodiscard, gnu::cold]] uint64_t take(uint64_t& word, const uint64_t* seen) noexcept;
    template <typename Visit>
    void for_each_word(magazine_row* seen, Visit visit) noexcept;
    static void show(class_table& table, bool shown) noexcept;
    [[gnu::cold]] void show_counted(bool shown) noexcept;
    void open() noexcept;
    [[gnu::cold]] void close() noexcept;
    [[gnu::cold]] void reopen() noexcept;

    // Slots are bounded by processors, not by threads; beyond this many, locks are rarely contended.
    static constexpr unsigned max_slots = 64;

    [[nodiscard]] unsigned slot() noexcept;
    [[nodiscard]] bool exchange_word(uint64_t* words, uint64_t next, uint64_t& previous) noexcept;
    // Under the slot's lock, or the sequence once more.
    [[nodiscard, LOWTIDE_RARE, gnu::noinline]] void* pop_otherwise(size_class c) noexcept;
    [[nodiscard, LOWTIDE_RARE, gnu::noinline]] bool push_otherwise(size_class c, void* p) noexcept;
    [[nodiscard, LOWTIDE_RARE, gnu::noinline]] bool exchange_otherwise(uint64_t* words, uint64_t next,
                                                                       uint64_t& previous) noexcept;
    [[nodiscard]] stock unpacked(uint64_t word) const noexcept;
    [[nodiscard]] static bool lock(os::mutex& mutex) noexcept { return mutex.lock() != os::acquired::mine; }
    [[nodiscard]] static uint64_t& word_in(magazine_row& row, size_class c, position where) noexcept {
        return where == position::loaded ? row.loaded[index_of(c)] : row.spare[index_of(c)];
    }

    class still_row;

    fast_state* state_;
    os::rseq_place place_{};
    os::rseq_support policy_ = os::rseq_support::locked;
    bool counts_ = false;
    unsigned rows_ = 1;
    os::mutex collecting_;
    std::atomic<uint32_t> next_slot_{0};
};

} // namespace lowtide
