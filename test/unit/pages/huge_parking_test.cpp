// The huge mapping that was freed last waits for the next object, whole or in parts, and not for longer than
// it may. On the real kernel, with an injected clock.
#include "pages/huge.h"

#include "support/child.h"
#include "support/fake_pages.h"
#include "support/zeroed.h"

#include <cstring>
#include <functional>
#include <gtest/gtest.h>
#include <random>
#include <semaphore>
#include <thread>
#include <utility>
#include <vector>

namespace lowtide::test {
namespace {

bool is_unmapped(uintptr_t base, size_t bytes) {
    if (os::claim(base, bytes) != os::claimed::yes)
        return false;
    os::release(base, bytes);
    return true;
}

class parking : public testing::Test {
protected:
    span& take(size_t size, bool zeroed, size_t alignment = slice_size) {
        const span_result result = all.allocate(size, alignment);
        EXPECT_NE(result.s, nullptr);
        EXPECT_EQ(result.zeroed, zeroed);
        EXPECT_GE(result.s->object_size, size);
        EXPECT_EQ(result.s->base % slice_size, 0u);
        EXPECT_FALSE(result.s->parked) << "whatever the program has written there";
        EXPECT_EQ(result.s->sc, size_class{});
        EXPECT_EQ(map->around(result.s->base + size - 1), result.s);
        return *result.s;
    }
    // One object follows another.
    static void make_demand(huge_tier& of) {
        for (int i = 0; i < 2; ++i)
            of.deallocate(*of.allocate(mebibyte, slice_size).s);
        of.release_parked();
    }
    // A mapping of this size waits; where it begins.
    uintptr_t park(size_t size) {
        make_demand(all);
        returned_before = all.returned_bytes();
        span& s = take(size, true);
        const uintptr_t base = s.mapping;
        memset(reinterpret_cast<void*>(s.base), 0xa5, size);
        all.deallocate(s);
        EXPECT_GE(all.parked_bytes(), size);
        return base;
    }

    zeroed<page_map> map;
    options settings;
    fake_pages fake;
    ceiling limits;
    huge_tier all{map.get(), &settings, fake.source(), &limits};
    size_t returned_before = 0;
};

TEST_F(parking, is_for_objects_that_follow_another_soon) {
    const auto is_kept = [&] {
        span& s = take(64 * mebibyte, true);
        const uintptr_t base = s.mapping;
        const size_t bytes = s.mapping_bytes;
        all.deallocate(s);
        EXPECT_EQ(is_unmapped(base, bytes), all.parked_bytes() == 0);
        return all.parked_bytes() != 0;
    };
    EXPECT_FALSE(is_kept()) << "the first";
    fake.advance(1000);
    EXPECT_FALSE(is_kept()) << "nobody would have waited so long";
    fake.advance(999);
    EXPECT_TRUE(is_kept());
    fake.advance(1000);
    all.tick();
    EXPECT_EQ(all.parked_bytes(), 0u);
    fake.advance(1);
    EXPECT_FALSE(is_kept()) << "the last was not needed in time";
}

TEST_F(parking, the_next_object_gets_the_mapping_that_was_freed_last) {
    const uintptr_t base = park(64 * mebibyte);
    EXPECT_EQ(map->around(base + os::page_size()), nullptr);
    EXPECT_EQ(all.count(), 0u);
    EXPECT_EQ(all.bytes(), 0u);
    EXPECT_EQ(all.returned_bytes(), returned_before);
    span& s = take(64 * mebibyte, false);
    EXPECT_EQ(s.mapping, base);
    EXPECT_EQ(all.parked_bytes(), 0u);
    EXPECT_EQ(all.bytes(), s.object_size);
    all.deallocate(s);
}

TEST_F(parking, a_smaller_object_gets_the_beginning_and_grows_into_the_rest) {
    const uintptr_t base = park(64 * mebibyte);
    span* s = &take(4 * mebibyte, false);
    EXPECT_EQ(s->mapping, base);
    EXPECT_LT(s->object_size, 4 * mebibyte + slice_size);
    memset(reinterpret_cast<void*>(s->base), 1, 4 * mebibyte);
    for (const size_t size : {8 * mebibyte, 9 * mebibyte + 1, 64 * mebibyte}) {
        s = all.resize(*s, size);
        ASSERT_NE(s, nullptr);
        EXPECT_EQ(s->mapping, base) << "it stays";
        EXPECT_GE(s->object_size, size);
        EXPECT_EQ(all.bytes(), s->object_size);
        EXPECT_EQ(map->around(s->base + size - 1), s);
    }
    EXPECT_EQ(all.parked_bytes(), 0u);
    EXPECT_EQ(reinterpret_cast<unsigned char*>(s->base)[4 * mebibyte - 1], 1);
    s = all.resize(*s, 200 * mebibyte);
    ASSERT_NE(s, nullptr) << "what was put together is one mapping for the kernel";
    EXPECT_EQ(reinterpret_cast<unsigned char*>(s->base)[4 * mebibyte - 1], 1);
    all.deallocate(*s);
}

TEST_F(parking, a_part_that_is_freed_joins_the_rest) {
    const uintptr_t base = park(64 * mebibyte);
    const size_t whole = all.parked_bytes();
    span& a = take(4 * mebibyte, false);
    span& b = take(8 * mebibyte, false);
    EXPECT_EQ(b.mapping, a.mapping + a.mapping_bytes);
    all.deallocate(b);
    all.deallocate(a);
    EXPECT_EQ(all.parked_bytes(), whole);
    EXPECT_EQ(take(64 * mebibyte, false).mapping, base);
}

// The kernel places one mapping below the other, so that they would join without end.
TEST_F(parking, never_keeps_more_than_it_may) {
    make_demand(all);
    std::vector<span*> many;
    for (int i = 0; i < 6; ++i)
        many.push_back(&take(100 * mebibyte - os::page_size(), true));
    for (span* s : many) {
        all.deallocate(*s);
        EXPECT_LE(all.parked_bytes(), 2 * settings.huge_bytes);
    }
}

TEST_F(parking, what_is_not_needed_goes_in_time_though_a_part_of_it_is) {
    park(100 * mebibyte);
    for (int i = 0; i < 4; ++i) {
        fake.advance(250);
        all.deallocate(take(20 * mebibyte, false));
    }
    all.tick();
    EXPECT_EQ(all.parked_bytes(), 0u);
}

TEST_F(parking, of_two_the_larger_waits) {
    make_demand(all);
    returned_before = all.returned_bytes();
    span& small = take(64 * mebibyte, true);
    span& large = take(80 * mebibyte, true);
    const uintptr_t gone = small.mapping;
    const size_t gone_bytes = small.mapping_bytes;
    const uintptr_t kept = large.mapping;
    all.deallocate(small);
    all.deallocate(large);
    EXPECT_TRUE(is_unmapped(gone, gone_bytes));
    EXPECT_EQ(all.returned_bytes(), returned_before + gone_bytes);
    span& again = take(70 * mebibyte, false);
    EXPECT_EQ(again.mapping, kept);
    all.deallocate(again);
}

TEST_F(parking, ends_with_the_decay_time_and_on_request) {
    for (const bool asked : {false, true}) {
        const uintptr_t base = park(64 * mebibyte);
        fake.advance(999);
        all.tick();
        EXPECT_NE(all.parked_bytes(), 0u);
        EXPECT_TRUE(!asked || all.release_parked() >= 64 * mebibyte);
        fake.advance(1);
        all.tick();
        EXPECT_EQ(all.parked_bytes(), 0u);
        EXPECT_TRUE(is_unmapped(base, 64 * mebibyte + os::page_size()));
        EXPECT_EQ(all.returned_bytes(), returned_before + 64 * mebibyte + os::page_size());
    }
}

TEST_F(parking, is_for_what_may_be_dirty_for_a_while_only) {
    make_demand(all);
    span& larger = take(2 * settings.huge_bytes, true); // with its record's page
    all.deallocate(larger);
    EXPECT_EQ(all.parked_bytes(), 0u);
    settings.decay_ms = 0;
    all.deallocate(take(64 * mebibyte, true));
    EXPECT_EQ(all.parked_bytes(), 0u);
    settings.decay_ms = -1;
    park(64 * mebibyte);
    fake.advance(1'000'000);
    all.tick();
    EXPECT_NE(all.parked_bytes(), 0u) << "never means never";
    EXPECT_NE(all.release_parked(), 0u);
}

TEST_F(parking, an_alignment_that_it_has_not_is_had_elsewhere) {
    const uintptr_t base = park(64 * mebibyte);
    for (size_t alignment = 2 * slice_size; alignment <= 1024 * mebibyte; alignment *= 2) {
        const span_result result = all.allocate(4 * mebibyte, alignment);
        ASSERT_NE(result.s, nullptr);
        EXPECT_EQ(result.s->base % alignment, 0u);
        EXPECT_EQ(result.zeroed, result.s->mapping != base);
        all.deallocate(*result.s);
    }
}

// What is called in the middle: to give the mapping back, the clock is asked under the lock.
std::function<void()> in_the_middle;

class parking_interrupted : public parking {
protected:
    parking_interrupted() {
        hooked.now_ms = []() noexcept -> uint64_t {
            if (const auto action = std::exchange(in_the_middle, nullptr))
                action();
            return 1;
        };
        make_demand(tier);
        tier.deallocate(*tier.allocate(64 * mebibyte, slice_size).s);
    }
    page_source hooked;
    ceiling unlimited;
    huge_tier tier{map.get(), &settings, &hooked, &unlimited};
};

TEST_F(parking_interrupted, a_signal_handler_in_the_middle_goes_round_it) {
    bool called = false;
    in_the_middle = [&] {
        called = true;
        const span_result result = tier.allocate(64 * mebibyte, slice_size);
        ASSERT_NE(result.s, nullptr);
        EXPECT_TRUE(result.zeroed);
        span* grown = tier.resize(*result.s, 65 * mebibyte);
        ASSERT_NE(grown, nullptr);
        tier.deallocate(*grown);
        tier.tick();
        EXPECT_EQ(tier.release_parked(), 0u);
    };
    EXPECT_EQ(tier.release_parked(), 64 * mebibyte + os::page_size());
    EXPECT_TRUE(called);
}

TEST_F(parking_interrupted, what_a_thread_of_the_parent_was_giving_back_is_lost_to_a_child_and_nothing_else) {
    std::binary_semaphore stuck{0};
    std::binary_semaphore go{0};
    in_the_middle = [&] {
        stuck.release();
        go.acquire();
    };
    std::thread other([&] { tier.release_parked(); });
    stuck.acquire();
    in_child([&] {
        const span_result first = tier.allocate(64 * mebibyte, slice_size);
        ASSERT_NE(first.s, nullptr);
        EXPECT_TRUE(first.zeroed);
        tier.deallocate(*first.s);
        const span_result second = tier.allocate(64 * mebibyte, slice_size);
        EXPECT_EQ(second.s, first.s) << "it parks again";
        EXPECT_FALSE(second.zeroed);
    });
    go.release();
    other.join();
    EXPECT_EQ(tier.parked_bytes(), 0u);
}

TEST(parking_threads, share_the_mapping_and_never_an_object) {
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
    GTEST_SKIP() << "it doesn't see the kernel hand a place from one thread to another";
#endif
#endif
    const page_source system;
    const zeroed<page_map> map;
    const options settings;
    ceiling limits;
    huge_tier all{map.get(), &settings, &system, &limits};
    const auto work = [&](unsigned number) {
        std::mt19937 random(number);
        const auto mark = [&](span& s) {
            for (size_t at = 0; at < s.object_size; at += mebibyte)
                *reinterpret_cast<uint64_t*>(s.base + at) = number;
        };
        const auto is_marked = [&](const span& s, size_t bytes) {
            for (size_t at = 0; at < bytes; at += mebibyte)
                if (*reinterpret_cast<const uint64_t*>(s.base + at) != number)
                    return false;
            return true;
        };
        for (int i = 0; i < 300; ++i) {
            span* s = all.allocate(random() % 16 * mebibyte + 1, slice_size).s;
            ASSERT_NE(s, nullptr);
            mark(*s);
            for (int turn = 0; turn < 3; ++turn) {
                const size_t before = s->object_size;
                const size_t size = random() % 64 * mebibyte + 1;
                s = all.resize(*s, size);
                ASSERT_NE(s, nullptr);
                ASSERT_GE(s->object_size, size);
                ASSERT_TRUE(is_marked(*s, before < size ? before : size));
                mark(*s);
            }
            ASSERT_TRUE(is_marked(*s, s->object_size));
            all.deallocate(*s);
            if (i % 50 == 0)
                static_cast<void>(all.release_parked());
            all.tick();
        }
    };
    std::vector<std::thread> threads;
    for (unsigned t = 1; t <= 4; ++t)
        threads.emplace_back(work, t);
    for (std::thread& t : threads)
        t.join();
    EXPECT_EQ(all.count(), 0u);
    EXPECT_EQ(all.bytes(), 0u);
}

} // namespace
} // namespace lowtide::test
