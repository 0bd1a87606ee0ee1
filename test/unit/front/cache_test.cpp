// The words of the rows under the locked policy: the same three operations that are restartable sequences
// elsewhere.
#include "front/cache.h"

#include "os/generation.h"
#include "os/thread.h"
#include "support/child.h"
#include "support/emulated.h"
#include "support/stuck_thread.h"
#include "support/zeroed.h"

#include <gtest/gtest.h>
#include <thread>

namespace lowtide::test {
namespace {

class locked_caches : public testing::Test {
protected:
    locked_caches() {
        lowtide_thread.slot = 0; // not another test's
        words.start(false, 4, 2);
    }

    void install(position where, magazine* next, unsigned count = 0) {
        stock before;
        EXPECT_TRUE(words.exchange(c, where, {next, count}, before));
        EXPECT_EQ(before.m, nullptr);
    }
    stock remove(position where) {
        stock s;
        EXPECT_TRUE(words.exchange(c, where, {}, s));
        return s;
    }

    struct alignas(MAGAZINE_BYTES) space {
        magazine m;
    };

    const size_class c = class_holding(64);
    zeroed<space> memory;
    magazine* m = &memory->m;
    zeroed<fast_state> state;
    cache words{state.get()};
    int objects[4] = {};
};

TEST_F(locked_caches, have_as_many_rows_as_threads_can_run_twice_over) {
    EXPECT_EQ(words.policy(), os::rseq_support::locked);
    EXPECT_EQ(words.rows(), 4u);
    cache many{state.get()};
    many.start(false, 1000, 1000);
    EXPECT_LE(many.rows(), 64u);
}

TEST_F(locked_caches, without_a_magazine_are_empty_and_full) {
    EXPECT_EQ(words.pop(c), nullptr);
    EXPECT_FALSE(words.push(c, objects));
    EXPECT_EQ(remove(position::loaded).m, nullptr);
    EXPECT_EQ(remove(position::spare).m, nullptr);
    EXPECT_EQ(words.count(c), 0u);
    EXPECT_EQ(words.magazines(), 0u);
}

TEST_F(locked_caches, hold_what_their_magazine_has_room_for_last_in_first_out) {
    m->set_capacity(3);
    install(position::loaded, m);
    EXPECT_EQ(words.pop(c), nullptr);
    for (int i = 0; i < 3; ++i)
        EXPECT_TRUE(words.push(c, &objects[i]));
    EXPECT_FALSE(words.push(c, &objects[3]));
    EXPECT_EQ(words.count(c), 3u);
    EXPECT_EQ(words.magazines(), 1u);
    EXPECT_EQ(words.pop(class_holding(80)), nullptr) << "of its class alone";
    for (int i = 2; i >= 0; --i)
        EXPECT_EQ(words.pop(c), &objects[i]);
    EXPECT_EQ(words.pop(c), nullptr);
}

TEST_F(locked_caches, hold_magazines_of_every_capacity) {
    for (unsigned capacity = 1; capacity <= max_magazine_capacity; ++capacity) {
        m->set_capacity(capacity);
        install(position::loaded, m);
        unsigned pushed = 0;
        while (words.push(c, &objects[pushed % 4]))
            ++pushed;
        EXPECT_EQ(pushed, capacity);
        const stock s = remove(position::loaded);
        EXPECT_EQ(s.m, m);
        EXPECT_EQ(s.count, capacity);
        EXPECT_TRUE(s.full());
        EXPECT_EQ(*s.objects(), &objects[0]);
    }
}

TEST_F(locked_caches, exchange_a_magazine_with_what_is_in_it) {
    m->set_capacity(5);
    m->slots[0] = nullptr;
    install(position::spare, m, 0);
    EXPECT_EQ(words.count(c), 0u);
    stock s = remove(position::spare);
    s.push(&objects[1]);
    s.push(&objects[2]);
    install(position::loaded, s.m, s.count);
    EXPECT_EQ(words.count(c), 2u);
    EXPECT_EQ(words.pop(c), &objects[2]);
    EXPECT_EQ(remove(position::loaded).count, 1u);
}

TEST_F(locked_caches, of_two_threads_are_two) {
    m->set_capacity(5);
    install(position::loaded, m);
    ASSERT_TRUE(words.push(c, &objects[0]));
    std::thread([&] {
        EXPECT_EQ(words.pop(c), nullptr);
        EXPECT_EQ(words.count(c), 1u) << "counted in all rows";
    }).join();
    EXPECT_EQ(words.pop(c), &objects[0]);
}

TEST_F(locked_caches, of_all_threads_can_be_collected) {
    m->set_capacity(5);
    install(position::loaded, m);
    ASSERT_TRUE(words.push(c, &objects[0]));
    ASSERT_TRUE(words.push(c, &objects[1]));
    span large{};
    span* before = nullptr;
    ASSERT_TRUE(words.exchange_parked(&large, before));
    cache::holdings all;
    std::thread([&] { words.collect(all); }).join();
    EXPECT_EQ(words.magazines(), 0u);
    EXPECT_EQ(words.parked().count, 0u);
    ASSERT_EQ(all.of_class[index_of(c)], m);
    EXPECT_EQ(m->stored, 2u);
    EXPECT_EQ(m->next, nullptr);
    EXPECT_EQ(all.parked, &large);
    EXPECT_EQ(words.pop(c), nullptr);
    install(position::loaded, m, 2);
    EXPECT_EQ(words.pop(c), &objects[1]) << "and the cache goes on";
}

TEST_F(locked_caches, know_whether_a_thread_has_a_magazine) {
    EXPECT_TRUE(words.is_vacant(c));
    m->set_capacity(2);
    install(position::spare, m);
    EXPECT_TRUE(words.is_vacant(c)) << "the loaded one is meant";
    install(position::loaded, remove(position::spare).m);
    EXPECT_FALSE(words.is_vacant(c));
}

// The top of every magazine lies in the trap: a push stops there, with the slot's lock held.
TEST_F(locked_caches, send_a_signal_handler_round_and_serve_every_thread_of_a_child) {
    if (emulated)
        GTEST_SKIP() << "the emulator doesn't survive threads in a child";
    bool came = false;
    {
        const stuck_thread other(
            [&](uintptr_t trap) {
                for (unsigned r = 0; r < words.rows(); ++r)
                    state->rows[r].loaded[index_of(c)] = trap + 2 * sizeof(void*);
                EXPECT_TRUE(words.push(c, &objects[0]));
            },
            [&] {
                came = true;
                stock s;
                EXPECT_EQ(words.pop(c), nullptr);
                EXPECT_FALSE(words.push(c, &objects[1]));
                EXPECT_FALSE(words.exchange(c, position::spare, {}, s));
            });
        in_child([&] {
            for (unsigned t = 0; t < 2 * words.rows(); ++t)
                std::thread([&] {
                    stock s;
                    EXPECT_TRUE(words.exchange(c, position::spare, {}, s)) << "the dead thread's row too";
                }).join();
        });
    }
    EXPECT_TRUE(came);
}

} // namespace
} // namespace lowtide::test
