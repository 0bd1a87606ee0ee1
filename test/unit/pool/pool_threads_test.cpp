// Block pools under several threads: nobody is refused or waits while a block is free, nobody has a block
// that another one has, and what threads were doing when a child was made doesn't stop the child.
#include "os/thread.h"
#include "pool/registry.h"
#include "support/child.h"
#include "support/pool_test.h"
#include "support/sleeper.h"

#include <csignal>
#include <latch>
#include <pthread.h>
#include <random>
#include <thread>
#include <unistd.h>

namespace lowtide::test {
namespace {

// What hangs is ended.
class watchdog {
public:
    watchdog() { alarm(200); }
    ~watchdog() { alarm(0); }
    watchdog(const watchdog&) = delete;
    watchdog& operator=(const watchdog&) = delete;
};

class pool_threads : public pool_test {
protected:
    using pool_test::pool_test;
    // A block's own words, at its ends and in the middle, while somebody has it.
    static void mark(void* block, size_t size, uint64_t who) {
        for (const size_t at : {size_t{0}, size / 2, size - 8})
            *reinterpret_cast<uint64_t*>(static_cast<char*>(block) + at) = who;
    }
    static bool is_marked(const void* block, size_t size, uint64_t who) {
        for (const size_t at : {size_t{0}, size / 2, size - 8})
            if (*reinterpret_cast<const uint64_t*>(static_cast<const char*>(block) + at) != who)
                return false;
        return true;
    }

    template <typename Work>
    static void in_threads(unsigned count, Work work) {
        std::vector<std::thread> all;
        std::latch begin(count);
        for (unsigned t = 1; t <= count; ++t)
            all.emplace_back([&, t] {
                begin.arrive_and_wait();
                work(t);
            });
        for (std::thread& t : all)
            t.join();
    }

    // Does it again and again while the others work.
    template <typename Act, typename Work>
    static void meanwhile(Act act, Work work) {
        std::atomic<bool> stop{false};
        std::thread other([&] {
            while (!stop)
                act();
        });
        work();
        stop = true;
        other.join();
    }

    // With something in its hands: others run meanwhile.
    static void linger() { std::this_thread::sleep_for(std::chrono::microseconds(20)); }

    // The clock goes on, as fast as it does.
    void pass_time() {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        fake.advance(1);
    }

    const watchdog patience;
};
INSTANTIATE_TEST_SUITE_P(, pool_threads, testing::ValuesIn(policies()), name_of);

TEST_P(pool_threads, are_never_refused_while_a_block_is_free) {
    for (const size_t size : {size_t{16} * kibibyte, size_t{2} * mebibyte}) {
        block_pool& p = make(size, 4);
        std::atomic<size_t> refusals{0};
        meanwhile(
            [&] {
                p.trim();
                static_cast<void>(p.counts());
                std::this_thread::sleep_for(std::chrono::microseconds(300));
            },
            [&] {
                in_threads(4, [&](unsigned t) {
                    for (int i = 0; i < 4000; ++i) {
                        take_result result{};
                        void* block = p.take("t", result);
                        if (block == nullptr) {
                            ++refusals;
                            continue;
                        }
                        mark(block, size, t);
                        if (i % 16 == 0)
                            linger();
                        ASSERT_TRUE(is_marked(block, size, t));
                        p.give(block);
                    }
                });
            });
        EXPECT_EQ(refusals, 0u) << "no thread has more than one of four";
        const pool_counts n = p.counts();
        EXPECT_LE(n.blocks, 4u);
        EXPECT_EQ(n.taken, 0u);
        give(p, take_some(p, 4));
    }
}

// A pool that grows makes records while it holds its lock; so do others at the same time, who are no reason
// to refuse.
TEST_P(pool_threads, are_not_refused_because_others_make_records) {
    std::atomic<bool> stop{false};
    std::thread other([&] {
        while (!stop)
            if (void* record = records.allocate(64); record != nullptr)
                records.deallocate(record, 64);
    });
    for (int round = 0; round < 300; ++round) {
        block_pool& p = make(64 * kibibyte);
        std::vector<std::thread> takers;
        for (int t = 0; t < 2; ++t)
            takers.emplace_back([&] {
                const std::vector<void*> some = take_some(p, 100);
                give(p, some);
            });
        for (std::thread& each : takers)
            each.join();
        ASSERT_TRUE(p.end());
        pools.clear();
    }
    stop = true;
    other.join();
}

TEST_P(pool_threads, never_have_more_blocks_than_there_may_be) {
    block_pool& p = make(64 * kibibyte, 4);
    std::atomic<int> held{0};
    std::atomic<size_t> got{0};
    in_threads(8, [&](unsigned t) {
        std::mt19937 random(t);
        for (int i = 0; i < 2000; ++i) {
            take_result result{};
            void* block = random() % 2 == 0 ? p.take("t", result) : p.try_take("t", result);
            if (block == nullptr)
                continue;
            ++got;
            EXPECT_LE(++held, 4);
            mark(block, 64 * kibibyte, t);
            if (random() % 8 == 0)
                linger();
            ASSERT_TRUE(is_marked(block, 64 * kibibyte, t));
            --held;
            p.give(block);
        }
    });
    EXPECT_GT(got, 0u);
    EXPECT_EQ(p.counts().blocks, 4u);
}

TEST_P(pool_threads, that_wait_are_all_woken_however_few_blocks_there_are) {
    for (const size_t size : {size_t{16} * kibibyte, size_t{2} * mebibyte}) {
        pool_options o;
        o.block_size = size;
        o.max_blocks = 2;
        block_pool& p = make(o);
        meanwhile(
            [&] {
                p.trim();
                std::this_thread::sleep_for(std::chrono::microseconds(500));
            },
            [&] {
                in_threads(6, [&](unsigned t) {
                    for (int i = 0; i < 500; ++i) {
                        take_result result{};
                        void* block = p.take_within("t", -1, result);
                        ASSERT_NE(block, nullptr);
                        mark(block, size, t);
                        if (i % 2 == 0)
                            linger();
                        ASSERT_TRUE(is_marked(block, size, t));
                        p.give(block);
                    }
                });
            });
        EXPECT_EQ(p.counts().taken, 0u);
        EXPECT_GT(p.counts().waits, 0u);
        give(p, take_some(p, 2));
    }
}

TEST_P(pool_threads, that_wait_are_woken_where_no_free_block_may_stay) {
    pool_options o;
    o.block_size = 2 * mebibyte;
    o.max_blocks = 3;
    o.high_watermark = 1;
    block_pool& p = make(o);
    in_threads(6, [&](unsigned) {
        for (int i = 0; i < 300; ++i) {
            take_result result{};
            void* block = p.take_within("t", -1, result);
            ASSERT_NE(block, nullptr);
            if (i % 2 == 0)
                linger();
            p.give(block);
        }
    });
    EXPECT_EQ(p.counts().taken, 0u);
}

TEST_P(pool_threads, that_wait_for_a_time_get_a_block_or_an_answer) {
    block_pool& p = make(32 * kibibyte, 3);
    std::atomic<size_t> answers{0};
    meanwhile([&] { pass_time(); },
              [&] {
                  in_threads(6, [&](unsigned t) {
                      std::mt19937 random(t);
                      for (int i = 0; i < 150; ++i) {
                          take_result result{};
                          void* block = p.take_within("t", static_cast<int>(random() % 4), result);
                          if (block == nullptr) {
                              EXPECT_TRUE(result == take_result::timed_out ||
                                          result == take_result::exhausted);
                              ++answers;
                              continue;
                          }
                          if (random() % 4 == 0)
                              std::this_thread::sleep_for(std::chrono::milliseconds(random() % 5));
                          p.give(block);
                      }
                  });
              });
    const std::vector<void*> all = take_some(p, 3);
    EXPECT_EQ(refused(p), take_result::exhausted);
    give(p, all);
    give(p, take_some(p, 3));
}

TEST_P(pool_threads, that_wait_get_what_another_one_gives_and_nobody_else_notices) {
    block_pool& p = make(32 * kibibyte, 1);
    void* block = take(p);
    std::atomic<void*> got{nullptr};
    {
        const sleeper waiter([&] {
            take_result result{};
            got = p.take_within("w", -1, result);
        });
        EXPECT_TRUE(waiter.falls_asleep());
        EXPECT_EQ(refused(p), take_result::exhausted);
        EXPECT_EQ(p.trim(), 0u);
        p.give(block);
    }
    EXPECT_EQ(got, block);
    p.give(block);
    void* again = take(p);
    EXPECT_EQ(again, block);
    p.give(again);
    EXPECT_GT(p.counts().cached, 0u) << "the caches are open again";
}

// Whoever comes to wait while a block is on its way to the system.
TEST_P(pool_threads, that_wait_get_what_was_going_back_when_they_came) {
    for (const size_t size : {size_t{16} * kibibyte, size_t{2} * mebibyte}) {
        block_pool& p = make(size, 2);
        give(p, take_some(p, 2));
        void* other = take(p);
        std::optional<sleeper> waiter;
        std::atomic<void*> got{nullptr};
        fake.on_call([&](system_call which) {
            if (which != system_call::purge || waiter.has_value())
                return;
            waiter.emplace([&] {
                take_result result{};
                got = p.take_within("w", -1, result);
            });
            while (p.counts().waits == 0)
                std::this_thread::yield();
            EXPECT_TRUE(waiter->falls_asleep());
        });
        p.trim();
        waiter.reset();
        fake.on_call({});
        EXPECT_NE(got, nullptr);
        EXPECT_NE(got, other);
        p.give(got);
        p.give(other);
        EXPECT_EQ(p.counts().taken, 0u);
    }
}

TEST_P(pool_threads, of_many_pools_that_come_and_go_keep_what_they_have) {
    static constexpr size_t sizes[] = {4 * kibibyte, 12 * kibibyte, 256 * kibibyte, 1536 * kibibyte,
                                       2 * mebibyte};
    registry<block_pool> all;
    block_pool& shared = make(64 * kibibyte, 50);
    all.add(shared);
    std::atomic<bool> trims{false};
    meanwhile(
        [&] {
            fake.advance(50);
            all.for_each([](block_pool& p) { static_cast<void>(p.tick()); });
            if ((trims = !trims))
                all.for_each([](block_pool& p) { p.trim(); });
            all.for_each([](block_pool& p) { static_cast<void>(p.counts()); });
            std::this_thread::sleep_for(std::chrono::microseconds(200));
        },
        [&] {
            in_threads(8, [&](unsigned t) {
                std::mt19937 random(t);
                for (int round = 0; round < 12; ++round) {
                    pool_options o;
                    o.block_size = sizes[random() % std::size(sizes)];
                    o.max_blocks = random() % 2 == 0 ? SIZE_MAX : 4;
                    o.high_watermark = random() % 2 == 0 ? SIZE_MAX : 8;
                    block_pool own(surroundings());
                    ASSERT_TRUE(own.start(o));
                    all.add(own);
                    std::vector<void*> mine;
                    std::vector<void*> of_all;
                    for (int i = 0; i < 200; ++i) {
                        take_result result{};
                        if (mine.size() < 6 && random() % 2 == 0) {
                            if (void* block = own.take("own", result)) {
                                mark(block, o.block_size, t);
                                mine.push_back(block);
                            }
                        } else if (!mine.empty()) {
                            ASSERT_TRUE(is_marked(mine.back(), o.block_size, t));
                            own.give(mine.back());
                            mine.pop_back();
                        }
                        if (of_all.size() < 6 && random() % 2 == 0) {
                            void* block = shared.take("shared", result);
                            ASSERT_NE(block, nullptr) << "48 of 50";
                            mark(block, 64 * kibibyte, t);
                            of_all.push_back(block);
                        } else if (!of_all.empty()) {
                            ASSERT_TRUE(is_marked(of_all.front(), 64 * kibibyte, t));
                            shared.give(of_all.front());
                            of_all.erase(of_all.begin());
                        }
                    }
                    give(own, mine);
                    give(shared, of_all);
                    all.remove(own);
                    ASSERT_TRUE(own.end());
                }
            });
        });
    all.remove(shared);
    EXPECT_EQ(shared.counts().taken, 0u);
    EXPECT_TRUE(shared.end());
    EXPECT_EQ(used(), 0u);
    pools.clear();
}

TEST_P(pool_threads, hand_their_blocks_on_to_each_other) {
    block_pool& p = make(16 * kibibyte, 64);
    std::mutex exchange;
    std::vector<void*> offered;
    in_threads(4, [&](unsigned t) {
        std::mt19937 random(t);
        std::vector<void*> mine;
        for (int i = 0; i < 3000; ++i) {
            if (mine.size() < 8 && random() % 2 == 0) {
                void* block = take(p);
                ASSERT_NE(block, nullptr);
                mark(block, 16 * kibibyte, reinterpret_cast<uintptr_t>(block));
                mine.push_back(block);
            } else if (!mine.empty()) {
                ASSERT_TRUE(is_marked(mine.back(), 16 * kibibyte, reinterpret_cast<uintptr_t>(mine.back())));
                p.give(mine.back());
                mine.pop_back();
            }
            if (i % 20 == 0) {
                const std::lock_guard guard(exchange);
                std::swap(mine, offered);
            }
        }
        give(p, mine);
    });
    give(p, offered);
    EXPECT_EQ(p.counts().taken, 0u);
    give(p, take_some(p, 64));
}

// Sequences are restarted at any instruction.
TEST_P(pool_threads, lose_no_block_in_a_storm_of_signals) {
    struct sigaction before {};
    struct sigaction nothing {};
    nothing.sa_handler = [](int) {};
    nothing.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &nothing, &before);
    block_pool& p = make(4 * kibibyte, 12);
    std::atomic<int> ready{0};
    std::atomic<bool> stop{false};
    std::vector<std::thread> all;
    for (unsigned t = 1; t <= 3; ++t)
        all.emplace_back([&, t] {
            ++ready;
            while (!stop) {
                void* blocks[4];
                for (void*& block : blocks) {
                    block = take(p);
                    ASSERT_NE(block, nullptr);
                    mark(block, 4 * kibibyte, t);
                }
                for (void* block : blocks) {
                    ASSERT_TRUE(is_marked(block, 4 * kibibyte, t));
                    p.give(block);
                }
            }
        });
    while (ready != 3)
        std::this_thread::yield();
    for (int i = 0; i < 60'000; ++i)
        pthread_kill(all[static_cast<size_t>(i) % 3].native_handle(), SIGUSR1);
    stop = true;
    for (std::thread& t : all)
        t.join();
    sigaction(SIGUSR1, &before, nullptr);
    EXPECT_EQ(p.counts().taken, 0u);
    give(p, take_some(p, 12));
}

class pool_children : public pool_threads {
protected:
    pool_children() : pool_threads(source_of_pages::system) {}
};
INSTANTIATE_TEST_SUITE_P(, pool_children, testing::ValuesIn(policies()), name_of);

TEST_P(pool_children, have_pools_whatever_the_threads_of_the_parent_were_doing) {
    block_pool& p = make(16 * kibibyte);
    block_pool& few = make(64 * kibibyte, 3);
    std::atomic<bool> stop{false};
    std::vector<std::thread> all;
    for (unsigned t = 1; t <= 3; ++t)
        all.emplace_back([&] {
            while (!stop) {
                give(p, take_some(p, 40));
                take_result result{};
                if (void* block = few.take_within("t", -1, result)) {
                    std::this_thread::yield();
                    few.give(block);
                }
            }
        });
    all.emplace_back([&] {
        while (!stop) {
            p.trim();
            few.trim();
            static_cast<void>(p.tick());
        }
    });
    for (int i = 0; i < 25; ++i)
        in_child(
            [&] {
                // Not with memory of malloc's: a sanitizer's is not repaired in a child.
                for (int round = 0; round < 5; ++round) {
                    uint64_t* mine[600];
                    for (uint64_t*& block : mine) {
                        block = static_cast<uint64_t*>(take(p));
                        ASSERT_NE(block, nullptr);
                        mark(block, 16 * kibibyte, reinterpret_cast<uintptr_t>(&block));
                    }
                    for (uint64_t*& block : mine) {
                        ASSERT_TRUE(is_marked(block, 16 * kibibyte, reinterpret_cast<uintptr_t>(&block)));
                        p.give(block);
                    }
                    p.trim();
                }
                // The parent's threads had some of these; what is left goes round and round.
                void* left[4];
                size_t count = 0;
                take_result result{};
                while (count < 4 && (left[count] = few.take("child", result)) != nullptr)
                    ++count;
                EXPECT_LE(count, 3u);
                for (int round = 0; round < 100; ++round) {
                    for (size_t n = 0; n < count; ++n)
                        few.give(left[n]);
                    for (size_t n = 0; n < count; ++n)
                        ASSERT_NE(left[n] = few.take("child", result), nullptr);
                    EXPECT_EQ(few.take("child", result), nullptr);
                }
                for (size_t n = 0; n < count; ++n)
                    few.give(left[n]);
                static_cast<void>(few.end()); // whether the parent's threads had any is chance
            },
            forking::by_libc);
    stop = true;
    for (std::thread& t : all)
        t.join();
    EXPECT_EQ(few.counts().taken, 0u);
}

TEST_P(pool_children, do_not_wait_for_those_that_wait_in_the_parent) {
    block_pool& p = make(32 * kibibyte, 2);
    const std::vector<void*> both = take_some(p, 2);
    std::atomic<int> got{0};
    const auto wait = [&] {
        take_result result{};
        p.give(p.take_within("w", -1, result));
        ++got;
    };
    {
        const sleeper first(wait);
        const sleeper second(wait);
        EXPECT_TRUE(first.falls_asleep() && second.falls_asleep());
        in_child(
            [&] {
                p.give(both[0]);
                void* block = take(p);
                EXPECT_EQ(block, both[0]);
                p.give(block);
                EXPECT_EQ(p.counts().cached, 1u) << "the caches are open";
                p.give(both[1]);
                EXPECT_TRUE(p.end());
            },
            forking::by_libc);
        p.give(both[0]);
        p.give(both[1]);
    }
    EXPECT_EQ(got, 2);
}

} // namespace
} // namespace lowtide::test
