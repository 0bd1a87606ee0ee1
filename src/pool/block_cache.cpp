#include "pool/block_cache.h"

#include "base/hash.h"

namespace lowtide {

bool block_cache::start(metadata& records, const row_owners& owners, bool caches) noexcept {
    none_ = static_cast<const magazine*>(records.allocate(sizeof(magazine)));
    rows_ = static_cast<row*>(records.allocate(owners.rows * sizeof(row)));
    count_ = owners.rows;
    if (none_ == nullptr || rows_ == nullptr) {
        end(records);
        return false;
    }
    caches_ = caches;
    policy_ = owners.policy;
    place_ = owners.place;
    place_.closed = caches ? 0 : 1;
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
    return rows_[((os::this_thread() >> 6) * golden >> 32) % count_];
}

// ---- one row

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

stock block_cache::empty_magazine(metadata& records, unsigned capacity) const noexcept {
    if (is_closed())
        return {};
    auto* m = static_cast<magazine*>(records.allocate(sizeof(magazine)));
    if (m != nullptr)
        m->set_capacity(capacity);
    return {m, 0};
}

// ---- all rows

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
    __atomic_store_n(&place_.closed, caches_ ? 0 : 1, __ATOMIC_SEQ_CST);
}

} // namespace lowtide
