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
    // `most`: blocks in a magazine; 0: no caches. False when there is no memory.
    [[nodiscard]] bool start(metadata& records, const row_owners& owners, unsigned most) noexcept;
    // Nobody uses it any more, and it is empty.
    void end(metadata& records) noexcept;

    // A block's record; null when the row has none.
    [[nodiscard]] void* pop() noexcept;
    // False when it has no room.
    [[nodiscard]] bool push(void* record) noexcept;

    // Takes the row's magazine away, if it has one.
    [[nodiscard]] stock take_magazine() noexcept;
    // Puts `s` into the row; what was there. `s` itself when it is refused.
    [[nodiscard]] stock put_magazine(const stock& s) noexcept;

    [[nodiscard]] stock empty_magazine(metadata& records) const noexcept;
    static void scrap(metadata& records, magazine* m) noexcept { records.deallocate(m, sizeof(magazine)); }

    // All that the rows hold, linked by `next`, counts in `stored`; or what nobody has touched since the last
    // call with `rested`. For one thread at a time.
    [[nodiscard]] magazine* collect(bool rested) noexcept;
    // Is there any magazine?
    [[nodiscard]] bool is_empty() const noexcept;
    // Blocks in all rows; exact when no other thread is in the pool.
    [[nodiscard]] size_t count() const noexcept;

    // Until it is opened again, by as many calls of `open`, every operation is refused. What others were
    // doing is certain to be over after the next collect().
    void close() noexcept;
    void open() noexcept;
    void open_for_all() noexcept; // after a fork, when those who closed it are gone

    [[nodiscard]] unsigned capacity() const noexcept { return capacity_; }

private:
    struct alignas(64) row {
        uint64_t word;
        uint64_t seen; // what collect() found last
        os::mutex lock;
    };
    class held_row;

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
    [[nodiscard]] bool has_rested() noexcept;
    magazine* take_row(row& r, bool rested, magazine* others) const noexcept;

    row* rows_ = nullptr;
    unsigned count_ = 0;
    unsigned capacity_ = 0;
    os::rseq_support policy_ = os::rseq_support::locked;
    os::rseq_place place_{};
    const magazine* none_ = nullptr; // zeroed: its end is the top of a magazine that is both empty and full
};

} // namespace lowtide
