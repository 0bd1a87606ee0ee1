// What `lowtide top` reads of a process while it runs: counters, in memory that both have mapped, the reader
// for reading only. It is a part of the file by which was asked for it (entry/mailbox.h), at
// live_page_offset; the process writes it anew every half a second until the time is over that was asked for.
//
// The command shares this description. Plain numbers, so that a reader of another version knows what it has:
// `version` counts changes that aren't additions behind the end.
#pragma once

#include "base/size_class.h"

#include <atomic>
#include <cstdint>

namespace lowtide {

constexpr uint64_t live_page_magic = 0x7470'6469'7477'6f6c; // "lowtdipt"
constexpr uint32_t live_page_version = 1;
constexpr size_t live_page_offset = 64 * 1024; // a multiple of any page size
constexpr uint32_t most_live_seconds = 60;

struct live_class {
    uint32_t size;
    uint32_t slabs;
    uint64_t room; // objects; so below
    uint64_t live;
    uint64_t cached;
};

struct live_counters {
    uint64_t written_ns; // CLOCK_MONOTONIC
    uint64_t live_bytes;
    uint64_t cached_bytes;
    uint64_t slack_bytes; // free objects in slabs
    uint64_t hole_bytes;  // of that, what has gone back
    uint64_t dirty_bytes; // free runs that may be in memory
    uint64_t used_bytes;  // slabs and runs
    uint64_t committed_bytes;
    uint64_t reserved_bytes;
    uint64_t huge_bytes;
    uint64_t huge_count;
    uint64_t large_bytes; // runs outside the classes
    uint64_t large_count;
    uint64_t metadata_bytes;
    uint64_t returned_bytes; // so far
    uint64_t purges;
    uint64_t held_bytes;
    uint64_t soft_limit; // UINT64_MAX: none; so below
    uint64_t hard_limit;
    uint64_t sample_rate; // 0: allocations aren't sampled
    uint32_t class_count;
    uint32_t unused;
    live_class classes[all_classes];
};

struct live_page {
    uint64_t magic;
    uint32_t version;
    uint32_t bytes; // of all of it
    uint64_t process;
    std::atomic<uint64_t> sequence; // odd while it is being written; 0: it has not been yet
    live_counters now;
};
static_assert(std::atomic<uint64_t>::is_always_lock_free);

// For one writer at a time.
[[gnu::no_sanitize_thread]] inline void write_live(live_page& page, const live_counters& now) noexcept {
    const uint64_t sequence = page.sequence.load(std::memory_order_relaxed);
    page.sequence.store(sequence + 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    const auto* from = reinterpret_cast<const unsigned char*>(&now);
    auto* to = reinterpret_cast<volatile unsigned char*>(&page.now);
    for (size_t i = 0; i < sizeof(now); ++i)
        to[i] = from[i];
    page.sequence.store(sequence + 2, std::memory_order_release);
}

// False when nothing has been written yet, or it is being written now: again a little later.
[[gnu::no_sanitize_thread]] inline bool read_live(const live_page& page, live_counters& to) noexcept {
    const uint64_t before = page.sequence.load(std::memory_order_acquire);
    if (before == 0 || before % 2 != 0)
        return false;
    const auto* from = reinterpret_cast<const volatile unsigned char*>(&page.now);
    for (size_t i = 0; i < sizeof(to); ++i)
        reinterpret_cast<unsigned char*>(&to)[i] = from[i];
    std::atomic_thread_fence(std::memory_order_acquire);
    return page.sequence.load(std::memory_order_relaxed) == before;
}

} // namespace lowtide
