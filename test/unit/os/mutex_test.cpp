// The lock: that it excludes, that waiters sleep and are woken, that it knows its holder, also across fork.
#include "os/mutex.h"

#include "os/thread.h"
#include "support/child.h"
#include "support/emulated.h"
#include "support/sleeper.h"

#include <gtest/gtest.h>
#include <semaphore>
#include <thread>
#include <vector>

namespace lowtide::test {
namespace {

using os::acquired;

// Holds a lock in a thread of its own.
class holder {
public:
    explicit holder(os::mutex& mutex)
        : thread_([this, &mutex] {
              EXPECT_EQ(mutex.lock(), acquired::yes);
              held_.release();
              done_.acquire();
              mutex.unlock();
          }) {
        held_.acquire();
    }
    ~holder() {
        let_go();
        thread_.join();
    }
    holder(const holder&) = delete;
    holder& operator=(const holder&) = delete;
    void let_go() { done_.release(); }

private:
    std::counting_semaphore<> held_{0};
    std::counting_semaphore<> done_{0};
    std::thread thread_;
};

TEST(mutex, one_thread_at_a_time_is_inside) {
    constexpr int threads = 4;
    constexpr int rounds = 20'000;
    os::mutex mutex;
    int count = 0; // not atomic: a second thread inside would lose some, and ThreadSanitizer would see it
    std::vector<std::thread> all;
    for (int t = 0; t < threads; ++t)
        all.emplace_back([&] {
            for (int i = 0; i < rounds; ++i) {
                EXPECT_EQ(mutex.lock(), acquired::yes);
                ++count;
                mutex.unlock();
            }
        });
    for (std::thread& t : all)
        t.join();
    EXPECT_EQ(count, threads * rounds);
}

TEST(mutex, waiters_sleep_and_every_one_is_woken) {
    constexpr int waiters = 4;
    os::mutex mutex;
    ASSERT_EQ(mutex.lock(), acquired::yes);
    int inside = 0;
    {
        std::vector<std::unique_ptr<sleeper>> all;
        for (int i = 0; i < waiters; ++i)
            all.push_back(std::make_unique<sleeper>([&] {
                EXPECT_EQ(mutex.lock(), acquired::yes);
                ++inside;
                mutex.unlock();
            }));
        for (const auto& waiter : all)
            EXPECT_TRUE(waiter->falls_asleep()) << "a waiter spins for ever";
        mutex.unlock();
    }
    EXPECT_EQ(inside, waiters);
}

TEST(mutex, the_thread_that_holds_it_is_told_so) {
    os::mutex mutex;
    lowtide_thread.interrupted = false;
    ASSERT_EQ(mutex.lock(), acquired::yes);
    EXPECT_FALSE(lowtide_thread.interrupted);
    EXPECT_EQ(mutex.lock(), acquired::mine);
    EXPECT_TRUE(lowtide_thread.interrupted) << "the allocator's way out depends on it";
    EXPECT_EQ(mutex.lock(), acquired::mine) << "and as often as it asks";
    mutex.unlock();
    EXPECT_EQ(mutex.lock(), acquired::yes) << "one unlock is enough";
    mutex.unlock();
    lowtide_thread.interrupted = false;
}

TEST(mutex, the_holder_is_told_so_while_others_sleep) {
    os::mutex mutex;
    ASSERT_EQ(mutex.lock(), acquired::yes);
    sleeper waiter([&] {
        EXPECT_EQ(mutex.lock(), acquired::yes);
        mutex.unlock();
    });
    ASSERT_TRUE(waiter.falls_asleep());
    EXPECT_EQ(mutex.lock(), acquired::mine);
    mutex.unlock();
}

// A signal handler that interrupts the holder of one lock must not wait for another, whose holder may be
// waiting in such a handler for the first.
TEST(mutex, whoever_holds_one_waits_for_no_other) {
    os::mutex first;
    os::mutex second;
    const holder other(second);
    ASSERT_EQ(first.lock(), acquired::yes);
    EXPECT_EQ(second.lock(), acquired::mine);
    EXPECT_TRUE(lowtide_thread.interrupted);
    lowtide_thread.interrupted = false;
    os::mutex third;
    EXPECT_EQ(third.lock(), acquired::yes) << "a free one can be had";
    third.unlock();
    first.unlock();
}

TEST(mutex, whoever_holds_one_waits_for_another_that_comes_behind_it_by_intent) {
    os::mutex first;
    os::mutex second;
    holder other(second);
    const sleeper waiter([&] {
        EXPECT_EQ(first.lock(), acquired::yes);
        EXPECT_EQ(second.lock(true), acquired::yes);
        second.unlock();
        first.unlock();
    });
    EXPECT_TRUE(waiter.falls_asleep());
    other.let_go();
}

TEST(mutex, waiting_is_allowed_again_when_no_lock_is_held) {
    os::mutex mutex;
    for (int i = 0; i < 300; ++i) { // more often than a byte can count
        ASSERT_EQ(mutex.lock(), acquired::yes);
        ASSERT_EQ(mutex.lock(), acquired::mine);
        ASSERT_FALSE(mutex.try_lock());
        mutex.unlock();
    }
    lowtide_thread.interrupted = false;
    EXPECT_EQ(lowtide_thread.held, 0);
}

TEST(mutex, trying_takes_a_free_lock_only) {
    os::mutex mutex;
    EXPECT_TRUE(mutex.try_lock());
    EXPECT_FALSE(mutex.try_lock());
    mutex.unlock();
    const holder other(mutex);
    EXPECT_FALSE(mutex.try_lock());
}

TEST(mutex, a_child_learns_that_the_holder_did_not_survive_fork) {
    for (const forking how : ways_to_fork()) {
        os::mutex mutex;
        const holder other(mutex);
        in_child(
            [&] {
                EXPECT_EQ(mutex.lock(), acquired::orphaned);
                EXPECT_EQ(mutex.lock(), acquired::mine) << "it comes locked";
                mutex.unlock();
                EXPECT_EQ(mutex.lock(), acquired::yes) << "and is told once only";
                mutex.unlock();
            },
            how);
    }
}

TEST(mutex, a_child_can_ask_whether_the_holder_survived) {
    os::mutex held;
    os::mutex own;
    os::mutex free;
    const holder other(held);
    ASSERT_EQ(own.lock(), acquired::yes);
    EXPECT_FALSE(held.orphaned());
    in_child([&] {
        EXPECT_TRUE(held.orphaned());
        EXPECT_FALSE(own.orphaned());
        EXPECT_FALSE(free.orphaned());
        EXPECT_EQ(held.lock(), acquired::orphaned);
        EXPECT_FALSE(held.orphaned()) << "ours now";
    });
    own.unlock();
}

TEST(mutex, a_grandchild_learns_it_too) {
    os::mutex mutex;
    const holder other(mutex);
    in_child([&] {
        in_child([&] {
            EXPECT_EQ(mutex.lock(), acquired::orphaned);
            mutex.unlock();
        });
        EXPECT_EQ(mutex.lock(), acquired::orphaned) << "what a grandchild does is its own";
        mutex.unlock();
    });
}

TEST(mutex, one_thread_of_the_child_repairs_and_the_others_wait) {
    if (emulated)
        GTEST_SKIP() << "the emulator doesn't survive threads in a child";
    os::mutex mutex;
    const holder other(mutex);
    in_child([&] {
        std::atomic<int> orphaned{0};
        std::vector<std::thread> all;
        for (int t = 0; t < 4; ++t)
            all.emplace_back([&] {
                if (mutex.lock() == acquired::orphaned)
                    ++orphaned;
                mutex.unlock();
            });
        for (std::thread& t : all)
            t.join();
        EXPECT_EQ(orphaned, 1);
    });
}

TEST(mutex, the_thread_that_forks_while_it_holds_it_still_does_in_the_child) {
    for (const forking how : ways_to_fork()) {
        os::mutex mutex;
        ASSERT_EQ(mutex.lock(), acquired::yes); // as a signal handler that forks would have interrupted it
        in_child(
            [&] {
                EXPECT_EQ(mutex.lock(), acquired::mine);
                mutex.unlock();
                EXPECT_EQ(mutex.lock(), acquired::yes);
                mutex.unlock();
            },
            how);
        mutex.unlock();
    }
}

TEST(mutex, a_free_lock_is_an_ordinary_one_in_a_child) {
    os::mutex mutex;
    in_child([&] {
        EXPECT_EQ(mutex.lock(), acquired::yes);
        mutex.unlock();
    });
}

TEST(mutex, the_parent_does_not_notice_what_a_child_does) {
    os::mutex mutex;
    {
        const holder other(mutex);
        in_child([&] { EXPECT_EQ(mutex.lock(), acquired::orphaned); });
        EXPECT_FALSE(mutex.try_lock());
    }
    EXPECT_EQ(mutex.lock(), acquired::yes);
    mutex.unlock();
}

} // namespace
} // namespace lowtide::test
