// Counters that one writes while others read: no reader ever sees half of two.
#include "observe/live_page.h"

#include <atomic>
#include <gtest/gtest.h>
#include <memory>
#include <thread>
#include <vector>

namespace lowtide {
namespace {

live_counters all_of(uint64_t value) {
    live_counters c{};
    c.written_ns = c.live_bytes = c.cached_bytes = c.hard_limit = value;
    for (live_class& k : c.classes)
        k.room = k.live = k.cached = value;
    return c;
}

bool is_all_of(const live_counters& c, uint64_t value) {
    bool same = c.written_ns == value && c.live_bytes == value && c.hard_limit == value;
    for (const live_class& k : c.classes)
        same = same && k.room == value && k.live == value && k.cached == value;
    return same;
}

TEST(live_page, has_nothing_until_it_is_written) {
    const auto page = std::make_unique<live_page>();
    live_counters now{};
    EXPECT_FALSE(read_live(*page, now));
    write_live(*page, all_of(7));
    ASSERT_TRUE(read_live(*page, now));
    EXPECT_TRUE(is_all_of(now, 7));
}

TEST(live_page, is_not_read_while_it_is_written) {
    const auto page = std::make_unique<live_page>();
    write_live(*page, all_of(7));
    page->sequence.fetch_add(1); // a writer that stopped in between, or died
    live_counters now{};
    EXPECT_FALSE(read_live(*page, now));
    write_live(*page, all_of(8));
    page->sequence.store(2);
    EXPECT_TRUE(read_live(*page, now));
}

TEST(live_page, is_never_torn) {
    const auto page = std::make_unique<live_page>();
    std::atomic<bool> stop{false};
    std::atomic<uint64_t> read{0};
    std::atomic<uint64_t> torn{0};
    std::vector<std::thread> readers;
    for (int i = 0; i < 3; ++i)
        readers.emplace_back([&] {
            live_counters now{};
            while (!stop)
                if (read_live(*page, now)) {
                    ++read;
                    torn += is_all_of(now, now.live_bytes) ? 0 : 1;
                }
        });
    for (uint64_t value = 1; value < 20'000 || read < 1000; ++value)
        write_live(*page, all_of(value));
    stop = true;
    for (std::thread& each : readers)
        each.join();
    EXPECT_EQ(torn, 0u);
}

} // namespace
} // namespace lowtide
