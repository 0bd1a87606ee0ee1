#include "front/cache.h"

#include "os/thread.h"

namespace lowtide {

void cache::start(bool use_rseq, unsigned cpus, unsigned usable_cpus) noexcept {
    policy_ =
        use_rseq && cpus != 0 && cpus <= FAST_MAX_ROWS ? os::find_rseq(place_) : os::rseq_support::locked;
    const unsigned slots = 2 * usable_cpus < max_slots ? 2 * usable_cpus : max_slots;
    rows_ = policy_ == os::rseq_support::locked ? slots : cpus;
    open();
    // No magazine anywhere. A word of 0 could say so without this, as a distance, but the addition costs the
    // fast paths 4 ns a pair (docs/design.md, "magazines"); a row costs 2 KiB, once, and only the rows that
    // can be used have it.
    for (unsigned r = 0; r < rows_; ++r) {
        for (unsigned i = 0; i < row_words; ++i)
            state_->rows[r].loaded[i] = state_->nothing();
        for (unsigned i = 0; i < row_words - 1; ++i)
            state_->rows[r].spare[i] = state_->nothing();
        state_->rows[r].parked = state_->nothing();
    }
}

// Threads take slots in turn, and keep them.
unsigned cache::slot() noexcept {
    if (lowtide_thread.slot == 0)
        lowtide_thread.slot = next_slot_.fetch_add(1, std::memory_order_relaxed) % rows_ + 1;
    return lowtide_thread.slot - 1;
}

stock cache::unpacked(uint64_t word) const noexcept {
    return word == state_->nothing() ? stock{} : stock::unpacked(word);
}

// Each operation tries its sequence once, with nothing around it; what is more than that is apart.

void* cache::pop(size_class c) noexcept {
    if (policy_ != os::rseq_support::locked) [[likely]] {
        const uintptr_t p = lowtide_rseq_pop(&state_->rows[0].loaded[index_of(c)], FAST_ROW_BYTES, &place_);
        if (p != lowtide_rseq_aborted) [[likely]]
            return reinterpret_cast<void*>(p);
    }
    return pop_otherwise(c);
}

void* cache::pop_otherwise(size_class c) noexcept {
    if (policy_ == os::rseq_support::locked) {
        const unsigned s = slot();
        if (!lock(state_->rows[s].lock))
            return nullptr;
        uint64_t& word = state_->rows[s].loaded[index_of(c)];
        void* p = *reinterpret_cast<void**>(word - sizeof(void*));
        if (p != nullptr)
            __atomic_store_n(&word, word - sizeof(void*), __ATOMIC_RELAXED);
        state_->rows[s].lock.unlock();
        return p;
    }
    uint64_t* words = &state_->rows[0].loaded[index_of(c)];
    for (int turn = 1; turn < max_restarts; ++turn) {
        const uintptr_t p = lowtide_rseq_pop(words, FAST_ROW_BYTES, &place_);
        if (p != lowtide_rseq_aborted)
            return reinterpret_cast<void*>(p);
    }
    return nullptr;
}

bool cache::push(size_class c, void* p) noexcept {
    if (policy_ != os::rseq_support::locked) [[likely]] {
        const uintptr_t done =
            lowtide_rseq_push(&state_->rows[0].loaded[index_of(c)], FAST_ROW_BYTES, &place_, p);
        if (done != lowtide_rseq_aborted) [[likely]]
            return done != lowtide_rseq_nothing;
    }
    return push_otherwise(c, p);
}

bool cache::push_otherwise(size_class c, void* p) noexcept {
    if (policy_ == os::rseq_support::locked) {
        const unsigned s = slot();
        if (!lock(state_->rows[s].lock))
            return false;
        uint64_t& word = state_->rows[s].loaded[index_of(c)];
        const bool room = word % MAGAZINE_BYTES != 0;
        if (room) {
            *reinterpret_cast<void**>(word) = p;
            __atomic_store_n(&word, word + sizeof(void*), __ATOMIC_RELAXED);
        }
        state_->rows[s].lock.unlock();
        return room;
    }
    uint64_t* words = &state_->rows[0].loaded[index_of(c)];
    for (int turn = 1; turn < max_restarts; ++turn) {
        const uintptr_t done = lowtide_rseq_push(words, FAST_ROW_BYTES, &place_, p);
        if (done != lowtide_rseq_aborted)
            return done != lowtide_rseq_nothing;
    }
    return false;
}

unsigned cache::row() noexcept {
    unsigned row = 0;
    if (policy_ == os::rseq_support::locked)
        row = slot();
    else
        row = *reinterpret_cast<const volatile uint32_t*>(os::this_thread() +
                                                          static_cast<uintptr_t>(place_.id));
    return row < rows_ ? row : 0;
}

bool cache::is_vacant(size_class c) noexcept {
    return __atomic_load_n(&state_->rows[row()].loaded[index_of(c)], __ATOMIC_RELAXED) == state_->nothing();
}

// `words` points to the word in row 0.
bool cache::exchange_word(uint64_t* words, uint64_t next, uint64_t& previous) noexcept {
    if (policy_ != os::rseq_support::locked &&
        lowtide_rseq_exchange(words, FAST_ROW_BYTES, &place_, next, &previous) != lowtide_rseq_aborted)
        [[likely]]
        return true;
    return exchange_otherwise(words, next, previous);
}

bool cache::exchange_otherwise(uint64_t* words, uint64_t next, uint64_t& previous) noexcept {
    if (policy_ == os::rseq_support::locked) {
        const unsigned s = slot();
        if (!lock(state_->rows[s].lock))
            return false;
        uint64_t& word = words[s * (FAST_ROW_BYTES / sizeof(uint64_t))];
        previous = word;
        __atomic_store_n(&word, next, __ATOMIC_RELAXED);
        state_->rows[s].lock.unlock();
        return true;
    }
    for (int turn = 1; turn < max_restarts; ++turn)
        if (lowtide_rseq_exchange(words, FAST_ROW_BYTES, &place_, next, &previous) != lowtide_rseq_aborted)
            return true;
    return false;
}

bool cache::exchange(size_class c, position where, const stock& next, stock& previous) noexcept {
    uint64_t before = 0;
    const uint64_t packed = next.m == nullptr ? state_->nothing() : next.packed();
    if (!exchange_word(&word_in(state_->rows[0], c, where), packed, before))
        return false;
    previous = unpacked(before);
    return true;
}

bool cache::exchange_parked(span* next, span*& previous) noexcept {
    const uint64_t nothing = state_->nothing();
    uint64_t before = 0;
    const uint64_t word = next == nullptr ? nothing : reinterpret_cast<uintptr_t>(next);
    if (!exchange_word(&state_->rows[0].parked, word, before))
        return false;
    previous = before == nothing ? nullptr : reinterpret_cast<span*>(before);
    return true;
}

// While it lives, a row of the locked policy stands still. One of a concurrency id can't be stopped: there,
// what is read from a magazine or a span may be torn, and is only counted.
class cache::still_row {
public:
    still_row(const cache& of, unsigned row)
        : mutex_(of.state_->rows[row].lock), locked_(of.policy_ == os::rseq_support::locked && lock(mutex_)) {
    }
    ~still_row() {
        if (locked_)
            mutex_.unlock();
    }
    still_row(const still_row&) = delete;
    still_row& operator=(const still_row&) = delete;

private:
    os::mutex& mutex_;
    const bool locked_;
};

parked_runs cache::parked() const noexcept {
    parked_runs total;
    for (unsigned r = 0; r < rows_; ++r) {
        const still_row still(*this, r);
        const uint64_t word = __atomic_load_n(&state_->rows[r].parked, __ATOMIC_RELAXED);
        if (word == state_->nothing())
            continue;
        ++total.count;
        total.bytes += reinterpret_cast<const span*>(word)->object_size;
    }
    return total;
}

// ---- all rows

// Entry i of a part is for sizes up to i steps.
[[gnu::noinline]] static void show_part(uint32_t* entries, unsigned count, size_t step, bool shown) noexcept {
    for (unsigned i = 0; i < count; ++i)
        __atomic_store_n(&entries[i], shown ? fast_entry_of(class_holding(i * step)) : 0, __ATOMIC_RELEASE);
}

void cache::show(class_table& table, bool shown) noexcept {
    const auto each = [shown]<size_t Step, size_t Largest>(class_steps<Step, Largest>& part) {
        show_part(part.entries, part.count, Step, shown);
    };
    each(table.small_classes);
    each(table.medium_classes);
    each(table.large_classes);
}

void cache::open() noexcept {
    if (counts()) [[unlikely]]
        show_counted(true);
    else
        show(state_->classes, true);
    state_->map.open();
    __atomic_store_n(&place_.closed, 0, __ATOMIC_RELEASE);
}

void cache::close() noexcept {
    __atomic_store_n(&place_.closed, 1, __ATOMIC_RELAXED);
    state_->map.close();
    show(state_->classes, false);
    if (counts())
        show_counted(false);
}

// What a word of a row that stands still has, which it loses; nothing(), unless it is what was `seen` there.
uint64_t cache::take(uint64_t& word, const uint64_t* seen) noexcept {
    const uint64_t taken = word;
    if (seen != nullptr && taken != *seen)
        return state_->nothing();
    __atomic_store_n(&word, state_->nothing(), __ATOMIC_RELAXED);
    return taken;
}

void cache::collect_row(magazine_row& row, holdings& all, magazine_row* seen) noexcept {
    for (unsigned i = 1; i < all_classes; ++i) {
        const size_class c{static_cast<uint8_t>(i)};
        for (const position where : {position::loaded, position::spare}) {
            const stock s =
                unpacked(take(word_in(row, c, where), seen != nullptr ? &word_in(*seen, c, where) : nullptr));
            if (s.m == nullptr)
                continue;
            s.m->stored = s.count;
            s.m->next = all.of_class[i];
            all.of_class[i] = s.m;
        }
    }
    const uint64_t word = take(row.parked, seen != nullptr ? &seen->parked : nullptr);
    if (word == state_->nothing())
        return;
    auto* s = reinterpret_cast<span*>(word);
    s->place().next = all.parked;
    all.parked = s;
}

void cache::collect(holdings& all, magazine_row* seen) noexcept {
    const auto seen_in = [seen](unsigned row) { return seen != nullptr ? &seen[row] : nullptr; };
    if (policy_ == os::rseq_support::locked) {
        for (unsigned s = 0; s < rows_; ++s) {
            if (!lock(state_->rows[s].lock))
                continue;
            collect_row(state_->rows[s], all, seen_in(s));
            state_->rows[s].lock.unlock();
        }
        return;
    }
    if (!lock(collecting_))
        return;
    close();
    if (os::restart_sequences())
        for (unsigned r = 0; r < rows_; ++r)
            collect_row(state_->rows[r], all, seen_in(r));
    open();
    collecting_.unlock();
}

// Calls visit(what the word has, what was seen there) for each word of all rows.
template <typename Visit>
void cache::for_each_word(magazine_row* seen, Visit visit) noexcept {
    const auto value = [](const uint64_t& word) { return __atomic_load_n(&word, __ATOMIC_RELAXED); };
    for (unsigned r = 0; r < rows_; ++r) {
        for (unsigned i = 1; i < all_classes; ++i) {
            visit(value(state_->rows[r].loaded[i]), seen[r].loaded[i]);
            visit(value(state_->rows[r].spare[i]), seen[r].spare[i]);
        }
        visit(value(state_->rows[r].parked), seen[r].parked);
    }
}

// Zeroed memory says that nothing was seen. It stays zero, and costs no page, where a row is never used.
void cache::collect_rested(holdings& all, magazine_row* seen) noexcept {
    const uint64_t nothing = state_->nothing();
    bool rested = false;
    for_each_word(seen, [&](uint64_t word, uint64_t before) { rested |= word == before; });
    if (rested)
        collect(all, seen);
    for_each_word(seen, [&](uint64_t word, uint64_t& before) {
        const uint64_t now = word == nothing ? 0 : word;
        if (before != now)
            before = now;
    });
}

void cache::reopen() noexcept {
    if (!collecting_.orphaned() || !lock(collecting_))
        return;
    open();
    collecting_.unlock();
}

// ---- counts

size_t cache::count(size_class c) const noexcept {
    size_t total = 0;
    for (unsigned r = 0; r < rows_; ++r) {
        const still_row still(*this, r);
        for (const position where : {position::loaded, position::spare}) {
            const uint64_t word = __atomic_load_n(&word_in(state_->rows[r], c, where), __ATOMIC_RELAXED);
            const unsigned objects = unpacked(word).count;
            total += objects <= max_magazine_capacity ? objects : 0; // torn by a running thread
        }
    }
    return total;
}

size_t cache::magazines() const noexcept {
    size_t total = 0;
    for (unsigned r = 0; r < rows_; ++r) {
        const magazine_row& row = state_->rows[r];
        for (unsigned i = 0; i < all_classes; ++i) {
            total += __atomic_load_n(&row.loaded[i], __ATOMIC_RELAXED) != state_->nothing() ? 1 : 0;
            total += __atomic_load_n(&row.spare[i], __ATOMIC_RELAXED) != state_->nothing() ? 1 : 0;
        }
    }
    return total;
}

} // namespace lowtide
