// The pages of counters that somebody reads now (observe/live_page.h): none in most processes. A child of
// fork has none of them.
//
// Owner: the heap. One thread at a time writes, with the lock.
#pragma once

#include "observe/live_page.h"
#include "os/mutex.h"

namespace lowtide {

class live_view {
public:
    constexpr live_view() = default;

    // Makes the file `fd` one with such a page, for so many seconds from now. False when that can't be done.
    [[nodiscard, gnu::cold]] bool begin(int fd, uint32_t seconds, uint64_t now_ms) noexcept;
    [[nodiscard]] bool is_read() const noexcept { return until_ms_.load(std::memory_order_relaxed) != 0; }
    [[nodiscard]] bool is_due(uint64_t now_ms) const noexcept {
        return is_read() && now_ms >= next_ms_.load(std::memory_order_relaxed);
    }
    [[gnu::cold]] void write(const live_counters& now, uint64_t now_ms) noexcept;

private:
    static constexpr unsigned most_readers = 8; // at once; the eldest has to go for one more
    static constexpr uint64_t interval_ms = 500;

    struct reader {
        live_page* page = nullptr;
        uint64_t until_ms = 0;
    };
    static void end(reader& r) noexcept;
    void forget_parents() noexcept;

    os::mutex mutex_;
    reader readers_[most_readers]{};
    std::atomic<uint64_t> until_ms_{0}; // when the last one ends; 0: nobody reads
    std::atomic<uint64_t> next_ms_{0};
    uint32_t generation_ = 0;
};

} // namespace lowtide
