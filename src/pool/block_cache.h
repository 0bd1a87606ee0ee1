// The free blocks of a pool that lie in the processors' caches: a row for each concurrency id (or for each
// slot that threads share, where there are no restartable sequences), and in it a magazine or none. As
// front/cache.h has it for malloc, but with one magazine, and closed for as long as somebody waits for a
// block: what is given back then goes to the pool itself, which wakes who waits.
//
// A magazine that is in no row belongs to the code that runs. Every operation may be refused; the caller then
// goes to the pool.
#pragma once

#include "front/magazine.h"
#include "os/mutex.h"
#include "os/rseq.h"
#include "pages/metadata.h"

namespace lowtide {

// What of the processors' caches is the same for all of the process (front/cache.h).
struct row_owners {
    os::rseq_support policy = os::rseq_support::locked;
    os::rseq_place place{};
    unsigned rows = 1;
};

class block_cache {
public:
    // `caches`: may there be any? False when there is no memory.
    [[nodiscard]] bool start(metadata& records, const row_owners& owners, bool caches) noexcept;
    // Nobody uses it any more, and it is empty.
    void end(metadata& records) noexcept;

    // A block's record; null when the row has none.
    [[nodiscard]] void* pop() noexcept {
        if (policy_ != os::rseq_support::locked) [[likely]] {
            const uintptr_t p = lowtide_rseq_pop(&rows_[0].word, sizeof(row), &place_);
            if (p != lowtide_rseq_aborted) [[likely]]
                return reinterpret_cast<void*>(p);
        }
        return pop_otherwise();
    }
    // False when it has no room.
    [[nodiscard]] bool push(void* record) noexcept {
        if (policy_ != os::rseq_support::locked) [[likely]] {
            const uintptr_t done = lowtide_rseq_push(&rows_[0].word, sizeof(row), &place_, record);
            if (done != lowtide_rseq_aborted) [[likely]]
                return done != lowtide_rseq_nothing;
        }
        return push_otherwise(record);
    }

    // Takes the row's magazine away, if it has one.
    [[nodiscard]] stock take_magazine() noexcept;
    // Puts `s` into the row; what was there. `s` itself when it is refused.
    [[nodiscard]] stock put_magazine(const stock& s) noexcept;

    // For up to `capacity` blocks, not 0.
    [[nodiscard]] stock empty_magazine(metadata& records, unsigned capacity) const noexcept;
    // `nested`: with a row, or the pool, in hand.
    static void scrap(metadata& records, magazine* m, bool nested = false) noexcept {
        records.deallocate(m, sizeof(magazine), nested);
    }

    // Has `sift` look at the magazine of every row that has one, while no thread uses any. It answers with
    // what the row is to have then, the magazine without some of its blocks, or none. `same`: its top is
    // where it was at the last call. For one thread at a time.
    template <typename Sift>
    void sift_rows(Sift sift) noexcept {
        close();
        if (policy_ == os::rseq_support::locked || os::restart_sequences())
            for (unsigned i = 0; i < count_; ++i)
                if (const held_row held(*this, rows_[i]); held && rows_[i].word != nothing()) {
                    row& r = rows_[i];
                    const stock left = sift(stock::unpacked(r.word), r.word == r.seen);
                    r.seen = left.m == nullptr ? nothing() : left.packed();
                    __atomic_store_n(&r.word, r.seen, __ATOMIC_RELAXED);
                }
        open();
    }
    // Is there any magazine?
    [[nodiscard]] bool is_empty() const noexcept;
    // Blocks in all rows; exact when no other thread is in the pool.
    [[nodiscard]] size_t count() const noexcept;

    // Until it is opened again, by as many calls of `open`, every operation is refused. What others were
    // doing is certain to be over after the next sift_rows().
    void close() noexcept;
    void open() noexcept;
    void open_for_all() noexcept; // after a fork, when those who closed it are gone

private:
    struct alignas(64) row {
        uint64_t word;
        uint64_t seen; // what sift_rows() has left
        os::mutex lock;
    };
    // While it lives, a row of the locked policy is its own; not where a signal handler has interrupted the
    // holder. One of a concurrency id has no lock.
    class held_row {
    public:
        held_row(const block_cache& of, row& r) noexcept
            : row_(r), locks_(of.policy_ == os::rseq_support::locked),
              held_(!locks_ || r.lock.lock() != os::acquired::mine) {}
        ~held_row() {
            if (locks_ && held_)
                row_.lock.unlock();
        }
        held_row(const held_row&) = delete;
        held_row& operator=(const held_row&) = delete;
        explicit operator bool() const noexcept { return held_; }

    private:
        row& row_;
        const bool locks_;
        const bool held_;
    };

    static constexpr int max_restarts = 16;

    [[nodiscard]] bool is_closed() const noexcept {
        return __atomic_load_n(&place_.closed, __ATOMIC_RELAXED) != 0;
    }
    [[nodiscard]] uint64_t nothing() const noexcept {
        return reinterpret_cast<uintptr_t>(none_) + MAGAZINE_BYTES;
    }
    [[nodiscard]] row& own_row() noexcept;
    [[nodiscard, gnu::noinline]] void* pop_otherwise() noexcept;
    [[nodiscard, gnu::noinline]] bool push_otherwise(void* record) noexcept;
    [[nodiscard]] bool exchange(uint64_t next, uint64_t& previous) noexcept;
    [[nodiscard]] stock unpacked(uint64_t word) const noexcept {
        return word == nothing() ? stock{} : stock::unpacked(word);
    }

    row* rows_ = nullptr;
    unsigned count_ = 0;
    bool caches_ = false;
    os::rseq_support policy_ = os::rseq_support::locked;
    os::rseq_place place_{};
    const magazine* none_ = nullptr; // zeroed: its end is the top of a magazine that is both empty and full
};

} // namespace lowtide
