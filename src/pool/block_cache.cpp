#include "pool/block_cache.h"

namespace lowtide {

bool block_cache::start(metadata& records, const row_owners& owners, unsigned most) noexcept {
    none_ = static_cast<const magazine*>(records.allocate(sizeof(magazine)));
    rows_ = static_cast<row*>(records.allocate(owners.rows * sizeof(row)));
    count_ = owners.rows;
    if (none_ == nullptr || rows_ == nullptr) {
        end(records);
        return false;
    }
    capacity_ = most < max_magazine_capacity ? most : max_magazine_capacity;
    policy_ = owners.policy;
    place_ = owners.place;
    place_.closed = most == 0 ? 1 : 0;
    for (unsigned i = 0; i < count_; ++i)
        rows_[i].word = nothing();
    return true;
}

void block_cache::end(metadata& records) noexcept {
    if (none_ != nullptr)
        records.deallocate(const_cast<magazine*>(none_), sizeof(magazine));
    if (rows_ != nullptr)
        records.deallocate(rows_, count_ * sizeof(row));
    none_ = nullptr;
    rows_ = nullptr;
}

// Of the locked policy.
block_cache::row& block_cache::own_row() noexcept {
    constexpr uint64_t golden = 0x9e3779b97f4a7c15;
    return rows_[((os::this_thread() >> 6) * golden >> 32) % count_];
}

// While it lives, a row of the locked policy is its own; not where a signal handler has interrupted the
// holder. One of a concurrency id has no lock.
class block_cache::held_row {
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

// ---- one row

void* block_cache::pop() noexcept {
    if (policy_ != os::rseq_support::locked) [[likely]] {
        const uintptr_t p = lowtide_rseq_pop(&rows_[0].word, sizeof(row), &place_);
        if (p != lowtide_rseq_aborted) [[likely]]
            return reinterpret_cast<void*>(p);
    }
    return pop_otherwise();
}

void* block_cache::pop_otherwise() noexcept {
    if (policy_ == os::rseq_support::locked) {
        row& own = own_row();
        const held_row held(*this, own);
        if (!held || is_closed())
            return nullptr;
        void* record = *reinterpret_cast<void**>(own.word - sizeof(void*));
        if (record != nullptr)
            __atomic_store_n(&own.word, own.word - sizeof(void*), __ATOMIC_RELAXED);
        return record;
    }
    for (int turn = 0; turn < max_restarts && !is_closed(); ++turn) {
        const uintptr_t p = lowtide_rseq_pop(&rows_[0].word, sizeof(row), &place_);
        if (p != lowtide_rseq_aborted)
            return reinterpret_cast<void*>(p);
    }
    return nullptr;
}

bool block_cache::push(void* record) noexcept {
    if (policy_ != os::rseq_support::locked) [[likely]] {
        const uintptr_t done = lowtide_rseq_push(&rows_[0].word, sizeof(row), &place_, record);
        if (done != lowtide_rseq_aborted) [[likely]]
            return done != lowtide_rseq_nothing;
    }
    return push_otherwise(record);
}

bool block_cache::push_otherwise(void* record) noexcept {
    if (policy_ == os::rseq_support::locked) {
        row& own = own_row();
        const held_row held(*this, own);
        if (!held || is_closed() || own.word % MAGAZINE_BYTES == 0)
            return false;
        *reinterpret_cast<void**>(own.word) = record;
        __atomic_store_n(&own.word, own.word + sizeof(void*), __ATOMIC_RELAXED);
        return true;
    }
    for (int turn = 0; turn < max_restarts && !is_closed(); ++turn) {
        const uintptr_t done = lowtide_rseq_push(&rows_[0].word, sizeof(row), &place_, record);
        if (done != lowtide_rseq_aborted)
            return done != lowtide_rseq_nothing;
    }
    return false;
}

bool block_cache::exchange(uint64_t next, uint64_t& previous) noexcept {
    if (policy_ == os::rseq_support::locked) {
        row& own = own_row();
        const held_row held(*this, own);
        if (!held || is_closed())
            return false;
        previous = own.word;
        __atomic_store_n(&own.word, next, __ATOMIC_RELAXED);
        return true;
    }
    for (int turn = 0; turn < max_restarts && !is_closed(); ++turn)
        if (lowtide_rseq_exchange(&rows_[0].word, sizeof(row), &place_, next, &previous) !=
            lowtide_rseq_aborted)
            return true;
    return false;
}

stock block_cache::take_magazine() noexcept {
    uint64_t before = 0;
    return exchange(nothing(), before) ? unpacked(before) : stock{};
}

stock block_cache::put_magazine(const stock& s) noexcept {
    uint64_t before = 0;
    return exchange(s.packed(), before) ? unpacked(before) : s;
}

stock block_cache::empty_magazine(metadata& records) const noexcept {
    if (is_closed())
        return {};
    auto* m = static_cast<magazine*>(records.allocate(sizeof(magazine)));
    if (m != nullptr)
        m->set_capacity(capacity_);
    return {m, 0};
}

// ---- all rows

// Of a row that stands still.
magazine* block_cache::take_row(row& r, bool rested, magazine* others) const noexcept {
    const uint64_t word = r.word;
    const bool takes = word != nothing() && (!rested || word == r.seen);
    r.seen = takes ? nothing() : word;
    if (!takes)
        return others;
    __atomic_store_n(&r.word, nothing(), __ATOMIC_RELAXED);
    const stock s = stock::unpacked(word);
    s.m->stored = s.count;
    s.m->next = others;
    return s.m;
}

// Is there a row that has been left alone? If not, they are as they were seen now.
bool block_cache::has_rested() noexcept {
    bool rested = false;
    for (unsigned i = 0; i < count_; ++i) {
        const uint64_t word = __atomic_load_n(&rows_[i].word, __ATOMIC_RELAXED);
        rested |= word != nothing() && word == rows_[i].seen;
    }
    for (unsigned i = 0; i < count_ && !rested; ++i)
        rows_[i].seen = __atomic_load_n(&rows_[i].word, __ATOMIC_RELAXED);
    return rested;
}

// All rows stand still while they are looked at one after the other: nothing goes behind our back from one
// that is still to come to one that was.
magazine* block_cache::collect(bool rested) noexcept {
    magazine* all = nullptr;
    if (rested && !has_rested())
        return nullptr;
    close();
    if (policy_ == os::rseq_support::locked || os::restart_sequences())
        for (unsigned i = 0; i < count_; ++i)
            if (const held_row held(*this, rows_[i]); held)
                all = take_row(rows_[i], rested, all);
    open();
    return all;
}

bool block_cache::is_empty() const noexcept {
    for (unsigned i = 0; i < count_; ++i)
        if (__atomic_load_n(&rows_[i].word, __ATOMIC_RELAXED) != nothing())
            return false;
    return true;
}

size_t block_cache::count() const noexcept {
    size_t total = 0;
    for (unsigned i = 0; i < count_; ++i) {
        const held_row held(*this, rows_[i]);
        const uint64_t word = __atomic_load_n(&rows_[i].word, __ATOMIC_RELAXED);
        const unsigned blocks = word == nothing() ? 0 : stock::unpacked(word).count;
        total += blocks <= max_magazine_capacity ? blocks : 0; // torn by a running thread
    }
    return total;
}

void block_cache::close() noexcept {
    __atomic_fetch_add(&place_.closed, 1, __ATOMIC_SEQ_CST);
}

void block_cache::open() noexcept {
    __atomic_fetch_sub(&place_.closed, 1, __ATOMIC_SEQ_CST);
}

void block_cache::open_for_all() noexcept {
    __atomic_store_n(&place_.closed, capacity_ == 0 ? 1 : 0, __ATOMIC_SEQ_CST);
}

} // namespace lowtide
