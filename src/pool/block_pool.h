// A block pool: blocks of one size out of extents, which are runs of the page tier. What lowtide/block_pool.h
// promises is made here, but for its errno; see there.
//
// A block is taken (by the program), cached or rested (its record is in a magazine of block_cache; rested, if
// it has been there since before gather() was there last), ready (in the pool's list, perhaps in memory),
// bare (an address without memory, in its extent's list), or on its way between these in the hands of the
// code that runs. An extent whose blocks are all bare goes back to the page tier.
//
// One lock guards all but the caches; it is never held while memory is taken or purged. Lock order: the list
// of pools, a pool, then the tiers below.
#pragma once

#include "pages/page_tier.h"
#include "pool/block_cache.h"
#include "pool/ready_blocks.h"

#include <atomic>

namespace lowtide {

inline constexpr size_t least_pool_block = 4 * kibibyte;
inline constexpr size_t most_pool_block = 64 * mebibyte;

enum class block_state_in_pool : uint8_t { lost, taken, cached, rested, ready, bare };

struct pool_extent;

// Its state belongs to who has the block; others read it to count.
struct alignas(64) block_record : list_node<> {
    uintptr_t base = 0;
    std::atomic<const char*> owner{nullptr};
    pool_extent* home = nullptr;
    uint64_t freed_ms = 0; // ready: since when
    std::atomic<block_state_in_pool> state{block_state_in_pool::lost};

    void become(block_state_in_pool s) noexcept { state.store(s, std::memory_order_relaxed); }
    [[nodiscard]] bool is(block_state_in_pool s) const noexcept {
        return state.load(std::memory_order_relaxed) == s;
    }
};

class block_pool;
class printer;

// The span is what the page map finds; its place() is among the extents with bare blocks, its rest_place()
// among all of the pool's.
struct pool_extent : span {
    block_pool* owner;
    list<block_record> bare;
    uint32_t bare_count;
    bool clean;              // what is bare is zero, and so is what no block lies on
    block_record records[1]; // `capacity` of them
};

inline pool_extent& extent_of(span& s) noexcept {
    return static_cast<pool_extent&>(s);
}

// What a pool needs of the rest of the process.
struct pool_surroundings {
    page_tier* pages;
    page_map* map;
    metadata* records;
    const page_source* source;
    const options* settings;
    row_owners owners;
    void (
        *note_call)() noexcept; // a call that no cache could serve: somebody should look after the pool soon
    bool (*is_attended)() noexcept; // does somebody call tick() now and then?
    size_t (*relieve)() noexcept;   // memory is short: the bytes that others could give back
};

struct pool_options {
    const char* name = "";
    size_t block_size = 0; // whole pages
    size_t max_blocks = SIZE_MAX;
    size_t low_watermark = 0;
    size_t high_watermark = SIZE_MAX;
    uint64_t return_ms = 1000;
    int numa_node = -1; // none
    bool huge_pages = true;
};

struct pool_counts {
    size_t blocks = 0; // whatever their state
    size_t taken = 0;
    size_t cached = 0;
    size_t ready = 0;
    size_t returned = 0;
    size_t refused = 0;
    size_t waits = 0;
};

enum class take_result : uint8_t { ok, no_memory, exhausted, not_at_hand, timed_out };

class block_pool : public list_node<> {
public:
    static constexpr uint64_t magic = 0x6c6f772d706f6f6c;

    explicit block_pool(const pool_surroundings& around) noexcept : around_(around) {}

    // False when there is no memory for its own records.
    [[nodiscard]] bool start(const pool_options& o) noexcept;
    // False, and nothing has happened but that all caches are empty, when blocks are taken. Who is in the
    // pool meanwhile, or comes later, ends the process with a line that says so, as long as its record is
    // there.
    [[nodiscard]] bool end() noexcept;
    // Behind end(): what the record needs besides itself.
    void dispose() noexcept;

    [[nodiscard]] void* take(const char* owner, take_result& result) noexcept {
        result = take_result::ok;
        if (void* r = cache_.pop()) [[likely]]
            return use(*static_cast<block_record*>(r), owner);
        return take_slow(owner, result);
    }
    [[nodiscard]] void* try_take(const char* owner, take_result& result) noexcept;
    // Negative: for ever.
    [[nodiscard]] void* take_within(const char* owner, int ms, take_result& result) noexcept;
    // Does not return for anything but a block of this pool that is taken.
    void give(void* block) noexcept {
        block_record* r = record_of(block);
        if (r == nullptr || !r->is(block_state_in_pool::taken)) [[unlikely]]
            end_with_wrong_block(block);
        r->become(block_state_in_pool::cached);
        if (!cache_.push(r)) [[unlikely]]
            give_slow(*r);
    }

    // Makes `count` free blocks that are in memory. False when there is no memory.
    [[nodiscard]] bool populate(size_t count) noexcept;

    // All that is free, but for the low watermark. The bytes.
    size_t trim() noexcept;
    // What has been free for so long that it goes back. True: there is something that may go back later.
    [[nodiscard]] bool tick() noexcept;

    [[nodiscard]] pool_counts counts() noexcept;
    void print(printer& out) noexcept;

    [[nodiscard]] bool is_alive() const noexcept { return magic_ == magic; }
    [[nodiscard]] const char* name() const noexcept { return name_; }
    [[nodiscard]] size_t bytes_a_block() const noexcept { return options_.block_size; }

private:
    [[nodiscard]] bool lock() noexcept;
    void unlock() noexcept { mutex_.unlock(); }
    void rebuild() noexcept;
    void notice_fork() noexcept;

    [[nodiscard]] static void* use(block_record& r, const char* owner) noexcept {
        r.owner.store(owner, std::memory_order_relaxed);
        r.become(block_state_in_pool::taken);
        return reinterpret_cast<void*>(r.base);
    }
    [[nodiscard, gnu::noinline]] void* take_slow(const char* owner, take_result& result) noexcept;
    [[nodiscard]] void* take_ready(const char* owner) noexcept;
    [[nodiscard]] void* search(const char* owner, take_result& result) noexcept;
    [[nodiscard]] void* refuse(take_result why, take_result& result) noexcept;
    [[nodiscard]] void* await(const char* owner, int ms, take_result& result) noexcept;
    void begin_to_wait() noexcept;
    void note_ready() noexcept { ready_count_.store(ready_.count(), std::memory_order_relaxed); }
    [[nodiscard]] block_record* pop_ready() noexcept;
    [[nodiscard]] block_record* pop_bare() noexcept;
    [[nodiscard]] block_record* pop_any() noexcept;
    void refill(stock& s) noexcept;
    void make_ready(block_record& r, uint64_t now) noexcept;
    void make_bare(block_record& r) noexcept;
    void tell_waiter() noexcept;

    [[nodiscard]] bool grow() noexcept;
    [[nodiscard]] pool_extent* make_extent(uint32_t capacity) noexcept;
    void dissolve(pool_extent& e) noexcept;
    [[nodiscard]] bool has_huge_pages() const noexcept {
        return options_.block_size % block_size == 0 && options_.huge_pages && around_.settings->huge_pages;
    }

    [[gnu::noinline]] void give_slow(block_record& r) noexcept;
    // Null for what is not the start of a block of this pool.
    [[nodiscard]] block_record* record_of(void* block) noexcept {
        const auto address = reinterpret_cast<uintptr_t>(block);
        span* s = around_.map->find(address);
        if (s == nullptr || s->kind != span_kind::pool || extent_of(*s).owner != this) [[unlikely]]
            return nullptr;
        const uint32_t index = object_index(*s, address);
        block_record* r = &extent_of(*s).records[index];
        return index < s->capacity && r->base == address ? r : nullptr;
    }
    [[noreturn, gnu::cold]] void end_with_wrong_block(void* block) noexcept;
    void expect_alive() const noexcept;
    [[noreturn, gnu::cold]] void end_with_use(const char* how) const noexcept;
    [[nodiscard]] stock take_in_hand() noexcept;
    void put_back(const stock& s) noexcept;
    void flush(stock& s, unsigned count, uint64_t freed) noexcept;

    void gather(bool rested, uint64_t freed) noexcept;
    // Of a new magazine; and what one has room for if it is to hold so many bytes.
    [[nodiscard]] unsigned capacity() const noexcept;
    [[nodiscard]] unsigned in_magazine_of(size_t bytes) const noexcept;
    [[nodiscard]] stock sift(stock s, bool rested, bool same, list<block_record>& out) noexcept;
    [[nodiscard]] bool is_above_high() const noexcept {
        return ready_count_.load(std::memory_order_relaxed) > most_ready_;
    }
    [[nodiscard]] bool purge(const block_record& r) noexcept;
    size_t purge_excess(size_t keep, uint64_t freed_by) noexcept;
    [[nodiscard]] block_record* pop_excess(size_t keep, uint64_t freed_by) noexcept;
    void tick_if_due() noexcept;
    void touch(const block_record& r) noexcept;

    template <typename Visit>
    void for_each_record(Visit visit) noexcept;

    const pool_surroundings around_;
    pool_options options_{};
    char name_[32]{};
    uint64_t magic_ = magic;
    size_t alignment_ = 0;
    uint32_t blocks_an_extent_ = 1;
    size_t most_ready_ = SIZE_MAX; // the high watermark, but for what the caches may hold
    unsigned most_cached_ = 0;     // in a magazine
    block_cache cache_;
    os::mutex mutex_;
    ready_blocks ready_;
    std::atomic<size_t> ready_count_{0}; // written with the lock
    uint32_t pops_ = 0;                  // blocks that have left the pool's lists so far; wraps
    list<span> sparse_{};                // extents with bare blocks
    list<span, by_rest> extents_{};
    size_t blocks_ = 0; // of all extents, and of those that are being made
    size_t returned_ = 0;
    size_t waits_ = 0;
    std::atomic<size_t> refused_{0};
    std::atomic<uint64_t> last_gather_ms_{0};
    os::mutex gathering_;
    // How often somebody began to work on free blocks, which nobody else finds meanwhile, and how often that
    // had ended.
    std::atomic<uint32_t> in_hands_{0};
    std::atomic<uint32_t> put_back_{0};
    uint32_t waiters_ = 0;
    uint32_t given_ = 0; // a futex: counts what came back while somebody waited
    std::atomic<uint32_t> generation_{0};
    std::atomic<uintptr_t> ended_by_{0}; // the thread
};

} // namespace lowtide
