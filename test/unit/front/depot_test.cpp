// Where magazines wait: whole magazines come and go, up to limits for all classes together, and
// those that nobody needs are told apart.
#include "front/depot.h"

#include "support/child.h"
#include "support/stuck_thread.h"
#include "support/zeroed.h"

#include <gtest/gtest.h>
#include <set>
#include <thread>
#include <vector>

namespace lowtide::test {
namespace {

class depots : public testing::Test {
protected:
    struct alignas(MAGAZINE_BYTES) space {
        magazine m;
    };

    // A magazine with that many objects, which need not exist.
    stock filled(unsigned objects, size_t number = 0) {
        magazine* m = &spaces.get()[number].m;
        m->set_capacity(objects);
        return {m, objects};
    }
    bool put(const stock& s, const depot_limits& most = no_limits) { return all.put(c, s, most).taken; }
    void put_many(size_t count) {
        for (size_t i = 0; i < count; ++i)
            EXPECT_TRUE(put(filled(2, i)));
    }
    size_t take_idle() {
        size_t count = 0;
        while (all.take_idle(c).m != nullptr)
            ++count;
        return count;
    }

    struct table {
        space each[64];
        space& operator[](size_t i) { return each[i]; }
    };
    struct memory : zeroed<table> {
        space* get() const { return zeroed<table>::get()->each; }
    };

    static constexpr depot_limits no_limits{1'000'000, size_t{1} << 40};
    const size_class c = class_holding(64);
    memory spaces;
    depot all;
};

TEST_F(depots, give_a_magazine_back_with_what_was_in_it) {
    EXPECT_EQ(all.take(c, nullptr).m, nullptr);
    const stock s = filled(7);
    ASSERT_TRUE(put(s));
    EXPECT_EQ(all.count(c), 7u);
    EXPECT_EQ(all.take(class_holding(80), nullptr).m, nullptr) << "another class's";
    const stock again = all.take(c, nullptr);
    EXPECT_EQ(again.m, s.m);
    EXPECT_EQ(again.count, 7u);
    EXPECT_EQ(all.count(c), 0u);
    EXPECT_EQ(all.take(c, nullptr).m, nullptr);
}

TEST_F(depots, take_no_more_than_the_limits_in_all_classes_together) {
    const size_class other = class_holding(1024);
    const depot_limits limits[] = {{14, no_limits.bytes}, {no_limits.objects, 12 * 64 + 2 * 1024}};
    for (const depot_limits& most : limits) {
        for (size_t i = 0; i < 4; ++i)
            EXPECT_TRUE(put(filled(3, i), most));
        EXPECT_TRUE(all.put(other, filled(2, 4), most).taken) << "exactly what is left";
        EXPECT_FALSE(put(filled(1, 5), most));
        EXPECT_FALSE(all.put(other, filled(1, 5), most).taken);
        EXPECT_EQ(all.count(c), 12u);
        EXPECT_NE(all.take(c, nullptr).m, nullptr);
        EXPECT_TRUE(put(filled(3, 5), most));
        EXPECT_FALSE(put(filled(1, 6), most));
        static_cast<void>(all.sweep(other));
        EXPECT_NE(all.take_idle(other).m, nullptr);
        EXPECT_TRUE(put(filled(2, 6), most)) << "what was idle counts no longer";
        while (all.take(c, nullptr).m != nullptr) {
        }
    }
}

TEST_F(depots, exchange_an_empty_magazine_for_a_filled_one_both_ways) {
    magazine* empty = filled(4, 1).m;
    EXPECT_EQ(all.take(c, empty).m, nullptr);
    ASSERT_TRUE(put(filled(2, 0)));
    ASSERT_NE(all.take(c, empty).m, nullptr);
    const depot_answer answer = all.put(c, filled(2, 0), no_limits);
    EXPECT_TRUE(answer.taken);
    EXPECT_EQ(answer.empty, empty);
    EXPECT_EQ(all.put(c, filled(2, 2), no_limits).empty, nullptr) << "only once";
}

TEST_F(depots, hand_over_the_empty_magazines_that_gathered) {
    put_many(3);
    std::set<magazine*> given;
    for (size_t i = 10; i < 13; ++i) {
        given.insert(filled(2, i).m);
        static_cast<void>(all.take(c, filled(2, i).m));
    }
    std::set<magazine*> gathered;
    for (magazine* m = all.sweep(c); m != nullptr; m = m->next)
        gathered.insert(m);
    EXPECT_EQ(gathered, given);
    EXPECT_EQ(all.sweep(c), nullptr);
}

TEST_F(depots, what_nobody_needed_in_an_interval_is_idle) {
    put_many(5);
    EXPECT_EQ(take_idle(), 0u) << "the interval has not begun";
    static_cast<void>(all.sweep(c));
    EXPECT_EQ(take_idle(), 5u);
    EXPECT_EQ(all.count(c), 0u);
}

TEST_F(depots, what_was_needed_in_an_interval_stays) {
    put_many(5);
    static_cast<void>(all.sweep(c));
    stock needed[2];
    for (int round = 0; round < 3; ++round) {
        for (stock& s : needed)
            s = all.take(c, nullptr);
        for (const stock& s : needed)
            EXPECT_TRUE(put(s));
    }
    EXPECT_EQ(take_idle(), 3u);
    EXPECT_EQ(all.count(c), 4u) << "two magazines of two objects are the working set";
    static_cast<void>(all.sweep(c));
    EXPECT_EQ(take_idle(), 2u) << "and idle when they are not needed any more";
}

TEST_F(depots, a_signal_handler_is_sent_away_and_a_child_starts_empty) {
    put_many(3);
    bool came = false;
    {
        const stuck_thread other(
            [&](uintptr_t trap) {
                static_cast<void>(all.put(c, {reinterpret_cast<magazine*>(trap), 1}, no_limits));
            },
            [&] {
                came = true;
                EXPECT_EQ(all.take(c, nullptr).m, nullptr);
                EXPECT_FALSE(put(filled(2, 20)));
                EXPECT_EQ(all.take_idle(c).m, nullptr);
                EXPECT_EQ(all.count(c), 0u);
            });
        in_child([&] {
            EXPECT_EQ(all.count(c), 0u);
            EXPECT_EQ(all.take(c, nullptr).m, nullptr);
            put_many(2);
            EXPECT_NE(all.take(c, nullptr).m, nullptr);
            EXPECT_EQ(all.count(c), 2u);
        });
    }
    EXPECT_TRUE(came);
    EXPECT_EQ(all.count(c), 7u);
}

TEST_F(depots, magazines_go_from_thread_to_thread_whole) {
    constexpr unsigned threads = 4;
    constexpr unsigned own = 8;
    std::vector<std::thread> workers;
    std::atomic<size_t> kept{0};
    for (unsigned t = 0; t < threads; ++t)
        workers.emplace_back([&, t] {
            std::vector<stock> mine;
            for (unsigned i = 0; i < own; ++i)
                mine.push_back(filled(4, t * own + i));
            for (int round = 0; round < 5000; ++round) {
                if (!mine.empty() && put(mine.back(), {80, no_limits.bytes}))
                    mine.pop_back();
                const stock s = all.take(c, nullptr);
                if (s.m == nullptr)
                    continue;
                EXPECT_EQ(s.count, 4u);
                *s.objects() = &mine; // nobody else may write there
                mine.push_back(s);
            }
            kept += mine.size();
        });
    for (std::thread& t : workers)
        t.join();
    EXPECT_EQ(kept * 4 + all.count(c), threads * own * 4);
}

} // namespace
} // namespace lowtide::test
