#include "pool/block_pool.h"

#include "base/print.h"
#include "os/futex.h"
#include "os/machine.h"

#include <cstring>

namespace lowtide {

namespace {

// A magazine holds up to so many bytes of blocks where somebody looks for those that rest in it; else, what a
// program may keep that never comes to the end of its magazine.
constexpr size_t most_magazine_bytes = 64 * mebibyte;
constexpr size_t unattended_magazine_bytes = 16 * mebibyte;
constexpr unsigned most_capacity = 64;
// A take that is refused while others had free blocks in their hands has looked so often. Who has them runs
// for a few microseconds, unless it has been preempted: then looking again at once doesn't help.
constexpr unsigned quick_looks = 20;
constexpr unsigned most_looks = 1000;
constexpr uint64_t look_every_ms = 1;
// So far apart somebody looks for what has to go back, and for magazines that nobody has used meanwhile.
constexpr uint64_t tick_every_ms = 100;
constexpr uint64_t gather_every_ms = 500;
// Reports name so many owners, and the others together.
constexpr unsigned most_owners = 64;

constexpr size_t extent_bytes(uint32_t capacity) {
    return sizeof(pool_extent) + (capacity - 1) * sizeof(block_record);
}

} // namespace

// ---- start, end

bool block_pool::start(const pool_options& o) noexcept {
    options_ = o;
    strncpy(name_, o.name, sizeof(name_) - 1);
    options_.name = name_; // the caller's may be gone tomorrow
    generation_.store(os::generation(), std::memory_order_relaxed);
    last_gather_ms_ = around_.source->now_ms();
    // Several to a block of the page tier, or a run for each.
    blocks_an_extent_ = static_cast<uint32_t>(block_size / o.block_size);
    if (blocks_an_extent_ < 2)
        blocks_an_extent_ = 1;
    alignment_ = o.block_size % block_size == 0 || blocks_an_extent_ > 1 ? block_size
                 : is_power_of_two(o.block_size)                         ? o.block_size
                                                                         : slice_size;
    // All caches together hold no more than half of what may stay.
    const size_t share = o.high_watermark / 2 / around_.owners.rows;
    most_cached_ = static_cast<unsigned>(share < most_capacity ? share : most_capacity);
    most_cached_ = in_magazine_of(most_magazine_bytes);
    if (o.high_watermark != SIZE_MAX)
        most_ready_ = o.high_watermark - size_t{most_cached_} * around_.owners.rows;
    return cache_.start(*around_.records, around_.owners, most_cached_ != 0);
}

bool block_pool::end() noexcept {
    notice_fork();
    cache_.close(); // for ever, if nothing is taken: who comes now finds the lock
    gather(false, around_.source->now_ms());
    if (!lock()) {
        cache_.open();
        return false;
    }
    bool used = false;
    for_each_record([&used](const block_record& r) { used |= r.is(block_state_in_pool::taken); });
    if (waiters_ != 0)
        end_with_use("a thread waits for a block of it");
    if (used) {
        cache_.open();
        unlock();
        return false;
    }
    ended_by_.store(os::this_thread(), std::memory_order_seq_cst);
    __atomic_store_n(&magic_, 0, __ATOMIC_RELAXED);
    if (in_hands_.load(std::memory_order_seq_cst) != put_back_.load(std::memory_order_seq_cst))
        end_with_use("another thread is in it");
    unlock();
    purge_excess(0, UINT64_MAX);
    // What the system doesn't take back, and what was lost in a fork, leaves the pool all the same.
    while (span* s = extents_.front()) {
        s->rest_place().unlink();
        extent_of(*s).clean = false;
        dissolve(extent_of(*s));
    }
    return true;
}

void block_pool::dispose() noexcept {
    ready_.end(*around_.records);
    cache_.end(*around_.records);
}

void block_pool::end_with_use(const char* how) const noexcept {
    char text[256];
    printer line(text);
    line.print("lowtide: block pool {} (\"{}\") is destroyed, and {}\n", static_cast<const void*>(this),
               name_, how);
    os::abort_process(line.text());
}

unsigned block_pool::in_magazine_of(size_t bytes) const noexcept {
    const size_t blocks = bytes < options_.block_size ? 1 : bytes / options_.block_size;
    return blocks < most_cached_ ? static_cast<unsigned>(blocks) : most_cached_;
}

unsigned block_pool::capacity() const noexcept {
    return in_magazine_of(around_.is_attended() ? most_magazine_bytes : unattended_magazine_bytes);
}

// ---- lock and repair

bool block_pool::lock() noexcept {
    switch (mutex_.lock()) {
    case os::acquired::yes:
        break;
    case os::acquired::mine:
        return false;
    case os::acquired::orphaned:
        rebuild();
        break;
    }
    if (generation_.load(std::memory_order_relaxed) != os::generation()) [[unlikely]] {
        // Those who waited, were collecting, or had something in their hands, are not here.
        waiters_ = 0;
        put_back_.store(in_hands_.load(std::memory_order_relaxed), std::memory_order_seq_cst);
        cache_.open_for_all();
        generation_.store(os::generation(), std::memory_order_relaxed);
    }
    expect_alive();
    return true;
}

void block_pool::expect_alive() const noexcept {
    const uintptr_t ended_by = ended_by_.load(std::memory_order_seq_cst);
    if (ended_by != 0 && ended_by != os::this_thread()) [[unlikely]]
        end_with_use("another thread is in it");
}

// Before anything is counted that lock() would begin anew in a child.
void block_pool::notice_fork() noexcept {
    if (generation_.load(std::memory_order_relaxed) != os::generation() && lock()) [[unlikely]]
        unlock();
}

// A thread that died in a fork held the lock. The states of the records are the truth, each written in one
// go; an extent that was being added or dissolved is lost.
void block_pool::rebuild() noexcept {
    ready_.clear();
    sparse_.forget();
    blocks_ = 0;
    extents_.forget();
    around_.pages->for_each_span([&](span& s) {
        if (s.kind != span_kind::pool || extent_of(s).owner != this)
            return;
        pool_extent& e = extent_of(s);
        e.place().forget();
        e.rest_place().forget();
        e.bare.forget();
        e.bare_count = 0;
        extents_.push_back(e);
        blocks_ += e.capacity;
        for (uint32_t i = 0; i < e.capacity; ++i) {
            block_record& r = e.records[i];
            r.forget();
            if (r.is(block_state_in_pool::ready)) {
                ready_.push_front(r);
            } else if (r.is(block_state_in_pool::bare)) {
                make_bare(r);
            }
        }
    });
    note_ready();
}

// ---- records; with the lock

block_record* block_pool::pop_ready() noexcept {
    block_record* r = ready_.pop_front();
    if (r == nullptr)
        return nullptr;
    note_ready();
    ++pops_;
    return r;
}

block_record* block_pool::pop_bare() noexcept {
    span* s = sparse_.front();
    if (s == nullptr)
        return nullptr;
    pool_extent& e = extent_of(*s);
    block_record* r = e.bare.front();
    r->unlink();
    if (--e.bare_count == 0)
        e.place().unlink();
    ++pops_;
    return r;
}

block_record* block_pool::pop_any() noexcept {
    block_record* r = pop_ready();
    return r != nullptr ? r : pop_bare();
}

void block_pool::make_ready(block_record& r, uint64_t now) noexcept {
    r.become(block_state_in_pool::ready);
    r.freed_ms = now;
    ready_.push_front(r);
    note_ready();
    tell_waiter();
}

void block_pool::make_bare(block_record& r) noexcept {
    r.become(block_state_in_pool::bare);
    r.home->bare.push_front(r);
    if (++r.home->bare_count == 1)
        sparse_.push_back(*r.home);
    tell_waiter();
}

// There is something that one who waits can have.
void block_pool::tell_waiter() noexcept {
    if (waiters_ == 0)
        return;
    __atomic_add_fetch(&given_, 1, __ATOMIC_RELEASE);
    os::futex_wake_one(&given_);
}

// ---- extents

// Without the lock. Its blocks are bare, though what the page tier had may be in memory.
pool_extent* block_pool::make_extent(uint32_t capacity) noexcept {
    auto* e = static_cast<pool_extent*>(around_.records->allocate(extent_bytes(capacity)));
    if (e == nullptr)
        return nullptr;
    const slice_count length = slice_count::holding(blocks_an_extent_ > 1 ? block_size : options_.block_size);
    const page_run run = around_.pages->allocate_aligned(length, alignment_);
    if (run.base == 0) {
        around_.records->deallocate(e, extent_bytes(capacity));
        return nullptr;
    }
    e->base = run.base;
    e->object_size = options_.block_size;
    e->length = length;
    e->kind = span_kind::pool;
    e->capacity = capacity;
    e->reciprocal = static_cast<uint32_t>(divide_up(uint64_t{1} << 32, options_.block_size));
    e->owner = this;
    e->clean = run.zeroed;
    for (uint32_t i = 0; i < capacity; ++i) {
        e->records[i].base = run.base + i * options_.block_size;
        e->records[i].home = e;
    }
    if (options_.numa_node >= 0)
        os::prefer_node(run.base, length.bytes(), options_.numa_node);
    if (has_huge_pages())
        around_.pages->allow_huge_pages(run.base, length);
    if (!options_.huge_pages)
        around_.pages->keep_small_pages(run.base, length);
    if (blocks_an_extent_ > 1)
        around_.map->set(run.base, length, e, 0);
    else
        around_.map->set_single(run.base, length, e);
    return e;
}

// All its blocks are bare, and it is in no list any more; without the lock.
void block_pool::dissolve(pool_extent& e) noexcept {
    if (blocks_an_extent_ > 1)
        around_.map->clear(e.base, e.length);
    else
        around_.map->clear_single(e.base, e.length);
    if (options_.numa_node >= 0)
        os::prefer_node(e.base, e.length.bytes(), -1);
    static_cast<void>(around_.pages->deallocate(e.base, e.length, {e.clean, false}));
    around_.records->deallocate(&e, extent_bytes(e.capacity));
}

// With the lock, which is dropped meanwhile. False when there is no memory.
bool block_pool::grow() noexcept {
    const size_t room = options_.max_blocks - blocks_;
    const uint32_t capacity = room < blocks_an_extent_ ? static_cast<uint32_t>(room) : blocks_an_extent_;
    if (!ready_.reserve(*around_.records, blocks_ + capacity))
        return false;
    blocks_ += capacity;
    in_hands_.fetch_add(1, std::memory_order_seq_cst);
    unlock();
    pool_extent* e = make_extent(capacity);
    if (e == nullptr && around_.relieve() != 0)
        e = make_extent(capacity);
    if (!lock())
        return false; // in a signal handler, where nothing was promised
    put_back_.fetch_add(1, std::memory_order_seq_cst);
    if (e == nullptr) {
        blocks_ -= capacity;
        tell_waiter();
        return false;
    }
    extents_.push_back(*e);
    for (uint32_t i = capacity; i-- != 0;)
        make_bare(e->records[i]);
    return true;
}

// ---- take

// With the lock: what is ready, up to half a magazine.
void block_pool::refill(stock& s) noexcept {
    for (const unsigned most = s.m->capacity() / 2; s.count < most;) {
        block_record* r = pop_ready();
        if (r == nullptr)
            return;
        r->become(block_state_in_pool::cached);
        s.push(r);
    }
}

// A magazine in our hands, out of the row: that of the row, or an empty one, or none.
stock block_pool::take_in_hand() noexcept {
    notice_fork();
    in_hands_.fetch_add(1, std::memory_order_seq_cst);
    expect_alive();
    const stock s = cache_.take_magazine();
    return s.m != nullptr ? s : cache_.empty_magazine(*around_.records, capacity());
}

// What the row has by now, or what it refuses, goes to the pool.
void block_pool::put_back(const stock& s) noexcept {
    if (s.m != nullptr) {
        stock other = cache_.put_magazine(s);
        if (other.m != nullptr) {
            flush(other, other.count, around_.source->now_ms());
            block_cache::scrap(*around_.records, other.m);
        }
    }
    put_back_.fetch_add(1, std::memory_order_seq_cst);
}

// What is ready, and more of it for the next calls here.
void* block_pool::take_ready(const char* owner) noexcept {
    stock s = take_in_hand();
    void* block = nullptr;
    if (s.count != 0) { // of another row, where we have been moved to
        block = use(*static_cast<block_record*>(s.pop()), owner);
    } else if (lock()) {
        if (block_record* r = pop_any())
            block = use(*r, owner);
        if (s.m != nullptr)
            refill(s);
        unlock();
    }
    put_back(s);
    return block;
}

void* block_pool::refuse(take_result why, take_result& result) noexcept {
    refused_.fetch_add(1, std::memory_order_relaxed);
    result = why;
    return nullptr;
}

// A new block; or, where there may be no more, what others have cached. None only when all were taken at one
// moment, that in which all rows were empty: nobody had free blocks in hand then, and of what was in the pool
// nothing has left it until it was looked at again. (A block that did may be back in a row by now, and free,
// and its taker have given another one back first.)
void* block_pool::search(const char* owner, take_result& result) noexcept {
    bool certain = false;
    uint32_t before = 0;
    uint32_t pops = 0;
    for (unsigned looks = 0; lock();) {
        block_record* r = pop_any();
        void* block = r != nullptr ? use(*r, owner) : nullptr;
        certain &= pops_ == pops;
        pops = pops_;
        const bool grows = block == nullptr && blocks_ < options_.max_blocks;
        const bool grown = grows && grow();
        unlock();
        if (block != nullptr)
            return block;
        if (grows && !grown)
            return refuse(take_result::no_memory, result);
        if (grows)
            continue;
        if (certain || looks == most_looks)
            return refuse(take_result::exhausted, result);
        if (looks > quick_looks)
            os::futex_wait_ms(reinterpret_cast<const uint32_t*>(&put_back_), before, look_every_ms);
        else if (looks != 0)
            os::yield();
        ++looks;
        before = put_back_.load(std::memory_order_seq_cst);
        gather(false, around_.source->now_ms());
        certain = static_cast<int32_t>(in_hands_.load(std::memory_order_seq_cst) - before) <= 0;
    }
    return refuse(take_result::exhausted, result); // in a signal handler, where nothing was promised
}

void* block_pool::take_slow(const char* owner, take_result& result) noexcept {
    around_.note_call();
    void* block = take_ready(owner);
    if (block == nullptr)
        block = search(owner, result);
    tick_if_due();
    return block;
}

void* block_pool::try_take(const char* owner, take_result& result) noexcept {
    result = take_result::ok;
    if (void* r = cache_.pop()) [[likely]]
        return use(*static_cast<block_record*>(r), owner);
    block_record* r = nullptr;
    if (lock()) {
        r = pop_ready();
        unlock();
    }
    if (r != nullptr)
        return use(*r, owner);
    result = take_result::not_at_hand;
    return nullptr;
}

void* block_pool::take_within(const char* owner, int ms, take_result& result) noexcept {
    void* block = take(owner, result);
    return block != nullptr || result != take_result::exhausted || ms == 0 ? block : await(owner, ms, result);
}

// With the lock. Until somebody has a block the caches are closed: what is given back comes here.
void block_pool::begin_to_wait() noexcept {
    ++waiters_;
    cache_.close();
}

void* block_pool::await(const char* owner, int ms, take_result& result) noexcept {
    const uint64_t began = around_.source->now_ms();
    if (!lock())
        return nullptr;
    ++waits_;
    begin_to_wait();
    uint32_t generation = os::generation();
    unlock();
    gather(false, began);
    result = take_result::timed_out;
    void* block = nullptr;
    for (bool waits = true; waits;) {
        if (!lock())
            return nullptr;
        if (generation != os::generation()) { // a signal handler has forked, and this is the child
            generation = os::generation();
            begin_to_wait();
        }
        block_record* r = pop_any();
        if (r == nullptr && blocks_ < options_.max_blocks) { // others have gone back
            if (grow())
                r = pop_any();
            else
                result = take_result::no_memory;
        }
        if (r != nullptr)
            block = use(*r, owner);
        const uint32_t seen = __atomic_load_n(&given_, __ATOMIC_ACQUIRE);
        const uint64_t waited = around_.source->now_ms() - began;
        waits = block == nullptr && result != take_result::no_memory &&
                (ms < 0 || waited < static_cast<uint64_t>(ms));
        if (!waits) {
            --waiters_;
            cache_.open();
        }
        unlock();
        if (waits && ms < 0)
            os::futex_wait(&given_, seen);
        else if (waits)
            os::futex_wait_ms(&given_, seen, static_cast<uint64_t>(ms) - waited);
    }
    if (block != nullptr)
        result = take_result::ok;
    return block;
}

// ---- give

void block_pool::end_with_wrong_block(void* block) noexcept {
    const auto address = reinterpret_cast<uintptr_t>(block);
    span* s = around_.map->find(address);
    const char* what = s == nullptr || s->kind != span_kind::pool || extent_of(*s).owner != this
                           ? "not a block of this pool"
                       : record_of(block) == nullptr ? "not the start of a block"
                                                     : "given back before";
    char text[256];
    printer line(text);
    line.print("lowtide: lowtide_block_pool_give of {}: {} (pool \"{}\")\n", block, what, name_);
    os::abort_process(line.text());
}

void block_pool::give_slow(block_record& r) noexcept {
    around_.note_call();
    const uint64_t now = around_.source->now_ms();
    stock s = take_in_hand();
    if (s.m != nullptr && s.full())
        flush(s, (s.count + 1) / 2, now);
    if (s.m != nullptr) {
        s.push(&r);
    } else if (lock()) {
        make_ready(r, now);
        unlock();
    }
    put_back(s);
    if (is_above_high())
        purge_excess(most_ready_, UINT64_MAX);
    tick_if_due();
}

// The blocks that were given back first, `count` of them, become ready.
void block_pool::flush(stock& s, unsigned count, uint64_t freed) noexcept {
    if (count == 0 || !lock())
        return;
    for (unsigned i = 0; i < count; ++i)
        make_ready(*static_cast<block_record*>(s.objects()[i]), freed);
    unlock();
    memmove(s.objects(), s.objects() + count, (s.count - count) * sizeof(void*));
    s.count -= count;
}

// ---- what goes back

// Of a row's magazine: all blocks, or those at its bottom that have rested, go to `out`. The magazine goes
// with them when nobody has used it.
stock block_pool::sift(stock s, bool rested, bool same, list<block_record>& out) noexcept {
    unsigned leave = 0;
    for (; leave < s.count; ++leave) {
        auto& r = *static_cast<block_record*>(s.objects()[leave]);
        if (rested && !r.is(block_state_in_pool::rested))
            break;
        out.push_back(r);
    }
    s.count -= leave;
    const unsigned room = s.count <= capacity() ? capacity() : s.m->capacity();
    memmove(s.m->word(magazine_words - room), s.objects() + leave, s.count * sizeof(void*));
    s.m->set_capacity(room);
    for (unsigned i = 0; i < s.count; ++i)
        static_cast<block_record*>(s.objects()[i])->become(block_state_in_pool::rested);
    if (s.count != 0 || (rested && !same))
        return s;
    block_cache::scrap(*around_.records, s.m, true);
    return {};
}

void block_pool::gather(bool rested, uint64_t freed) noexcept {
    if (rested && cache_.is_empty())
        return;
    if (!lock()) // nor would there be a way to put anything into the pool
        return;
    unlock();
    // Held until all is in the pool: who waits for it finds that there.
    if (gathering_.lock_outermost() == os::acquired::mine)
        return;
    list<block_record> found;
    cache_.sift_rows([&](const stock& s, bool same) noexcept { return sift(s, rested, same, found); });
    if (found.front() != nullptr && lock()) {
        while (block_record* r = found.front()) {
            r->unlink();
            make_ready(*r, freed);
        }
        unlock();
    }
    gathering_.unlock_outermost();
}

// Without the lock. False where the system refuses.
bool block_pool::purge(const block_record& r) noexcept {
    if (has_huge_pages())
        return around_.pages->return_huge_pages(r.base, slice_count::holding(options_.block_size));
    return around_.pages->purge_within(r.base, options_.block_size);
}

// With the lock: the block that has been ready the longest, if it is to go back.
block_record* block_pool::pop_excess(size_t keep, uint64_t freed_by) noexcept {
    block_record* r = ready_.back();
    if (r == nullptr || ready_.count() <= keep || r->freed_ms > freed_by || waiters_ != 0)
        return nullptr;
    ready_.pop_back();
    note_ready();
    ++pops_;
    r->become(block_state_in_pool::lost); // until it is known what becomes of it
    in_hands_.fetch_add(1, std::memory_order_seq_cst);
    return r;
}

// Gives ready blocks back that were freed by then, the oldest first, while there are more than `keep`. The
// bytes.
size_t block_pool::purge_excess(size_t keep, uint64_t freed_by) noexcept {
    size_t bytes = 0;
    while (lock()) {
        block_record* r = pop_excess(keep, freed_by);
        unlock();
        if (r == nullptr)
            break;
        const bool purged = purge(*r);
        if (!lock())
            break;
        put_back_.fetch_add(1, std::memory_order_seq_cst);
        pool_extent* emptied = nullptr;
        if (purged) {
            ++returned_;
            bytes += options_.block_size;
            make_bare(*r);
            if (r->home->bare_count == r->home->capacity)
                emptied = r->home;
        } else {
            make_ready(*r, around_.source->now_ms());
        }
        if (emptied != nullptr) {
            emptied->place().unlink();
            emptied->rest_place().unlink();
            blocks_ -= emptied->capacity;
            // One block is all there is.
            emptied->clean |= emptied->capacity == 1 && options_.block_size == emptied->length.bytes();
        }
        unlock();
        if (emptied != nullptr)
            dissolve(*emptied);
        if (!purged)
            break;
    }
    return bytes;
}

size_t block_pool::trim() noexcept {
    gather(false, 0);
    return purge_excess(options_.low_watermark, UINT64_MAX);
}

bool block_pool::tick() noexcept {
    const uint64_t now = around_.source->now_ms();
    uint64_t before = last_gather_ms_.load(std::memory_order_relaxed);
    if (now - before >= gather_every_ms &&
        last_gather_ms_.compare_exchange_strong(before, now, std::memory_order_relaxed))
        gather(true, before);
    // What would be late at the next tick goes now.
    const uint64_t by = now + tick_every_ms;
    if (by >= options_.return_ms)
        purge_excess(options_.low_watermark, by - options_.return_ms);
    return !cache_.is_empty() || ready_count_.load(std::memory_order_relaxed) > options_.low_watermark;
}

// Where the background thread looks after the pool it is never due.
void block_pool::tick_if_due() noexcept {
    if (around_.source->now_ms() - last_gather_ms_.load(std::memory_order_relaxed) >=
        gather_every_ms + tick_every_ms)
        static_cast<void>(tick());
}

bool block_pool::populate(size_t count) noexcept {
    list<block_record> made;
    bool enough = true;
    for (size_t i = 0; i < count && enough; ++i) {
        if (!lock())
            return false;
        block_record* r = pop_bare();
        if (r == nullptr && blocks_ < options_.max_blocks && grow())
            r = pop_bare();
        unlock();
        enough = r != nullptr;
        if (enough) {
            made.push_front(*r);
            touch(*r);
        }
    }
    const uint64_t now = around_.source->now_ms();
    while (block_record* r = made.front()) {
        if (!lock())
            return false;
        r->unlink();
        make_ready(*r, now);
        unlock();
    }
    return enough;
}

// All of it is in memory afterwards.
void block_pool::touch(const block_record& r) noexcept {
    if (around_.source->populate(r.base, options_.block_size))
        return;
    for (size_t at = 0; at < options_.block_size; at += least_pool_block)
        *reinterpret_cast<volatile char*>(r.base + at) = 0;
}

// ---- counts

template <typename Visit>
void block_pool::for_each_record(Visit visit) noexcept {
    for (span* s = extents_.front(); s != nullptr; s = extents_.after(*s))
        for (uint32_t i = 0; i < s->capacity; ++i)
            visit(extent_of(*s).records[i]);
}

pool_counts block_pool::counts() noexcept {
    pool_counts n;
    n.cached = cache_.count();
    n.refused = refused_.load(std::memory_order_relaxed);
    if (!lock())
        return n;
    n.blocks = blocks_;
    n.ready = ready_.count();
    n.returned = returned_;
    n.waits = waits_;
    for_each_record([&n](const block_record& r) { n.taken += r.is(block_state_in_pool::taken) ? 1 : 0; });
    unlock();
    return n;
}

void block_pool::print(printer& out) noexcept {
    struct owner_count {
        const char* owner;
        size_t blocks;
    };
    owner_count owners[most_owners + 1]{};
    unsigned known = 0;
    const pool_counts n = counts();
    out.print("block pool \"")
        .print_plain(name_)
        .print("\": blocks of {}: {} taken, {} cached, {} ready, {} given back so far\n",
               byte_count{options_.block_size}, n.taken, n.cached, n.ready, n.returned);
    if (!lock())
        return;
    for_each_record([&](const block_record& r) {
        if (!r.is(block_state_in_pool::taken))
            return;
        const char* named = r.owner.load(std::memory_order_relaxed);
        const char* owner = named == nullptr ? "(no owner)" : named;
        unsigned i = 0;
        while (i < known && strcmp(owners[i].owner, owner) != 0)
            ++i;
        if (i == known && known < most_owners)
            owners[known++].owner = owner;
        ++owners[i].blocks;
    });
    unlock();
    owners[most_owners].owner = "(others: there are too many to tell apart)";
    for (;;) {
        owner_count* most = &owners[most_owners];
        for (unsigned i = 0; i < known; ++i)
            most = owners[i].blocks > most->blocks ? &owners[i] : most;
        if (most->blocks == 0)
            return;
        out.print("  {:>8} taken by ", most->blocks).print_plain(most->owner).print("\n");
        most->blocks = 0;
    }
}

} // namespace lowtide
