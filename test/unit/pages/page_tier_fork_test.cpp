// The page tier in a child whose parent had threads in the middle of it.
#include "support/child.h"
#include "support/page_tier_test.h"

#include <semaphore>
#include <thread>

namespace lowtide::test {
namespace {

class page_tier_fork : public page_tier_test {
protected:
    // A thread that stays in its first call of this kind, with the tier's lock if it has it there.
    class visitor {
    public:
        template <typename Action>
        visitor(fake_pages& fake, system_call where, Action action) : fake_(fake) {
            fake.on_call([this, where](system_call which) {
                if (which != where || std::this_thread::get_id() != thread_.get_id() || was_there_)
                    return;
                was_there_ = true;
                arrived_.release();
                leave_.acquire();
            });
            thread_ = std::thread([this, action] {
                begin_.acquire();
                action();
            });
            begin_.release();
            arrived_.acquire();
        }
        ~visitor() {
            leave_.release();
            thread_.join();
            fake_.on_call({});
        }
        visitor(const visitor&) = delete;
        visitor& operator=(const visitor&) = delete;

    private:
        fake_pages& fake_;
        std::binary_semaphore begin_{0};
        std::binary_semaphore arrived_{0};
        std::binary_semaphore leave_{0};
        bool was_there_ = false; // the thread's own
        std::thread thread_;
    };

    void expect_that_all_works_in_a_child(size_t used) {
        fake.on_call({});
        expect_true_counters(used);
        uintptr_t runs[6];
        const uint32_t lengths[6] = {1, 5, 32, 8, 100, 31};
        for (int i = 0; i < 6; ++i) {
            const page_run run = pages.allocate({lengths[i]});
            ASSERT_NE(run.base, 0u);
            EXPECT_TRUE(!run.zeroed || is_stamped(run.base, lengths[i], 0));
            stamp(run.base, lengths[i], 100);
            runs[i] = run.base;
        }
        for (int i = 0; i < 6; ++i)
            give(runs[i], lengths[i]);
        static_cast<void>(pages.purge_all());
        EXPECT_EQ(pages.counts().dirty_bytes, 0u);
        expect_true_counters(used);
    }
};

TEST_F(page_tier_fork, a_child_repairs_what_a_dead_thread_was_changing) {
    const uintptr_t kept = take(20);
    stamp(kept, 20, 7);
    give(take(50), 50);
    {
        const visitor other(fake, system_call::commit, [this] { give(take(300), 300); });
        for (const forking how : ways_to_fork())
            in_child(
                [&] {
                    expect_that_all_works_in_a_child(20);
                    EXPECT_TRUE(is_stamped(kept, 20, 7));
                    give(kept, 20);
                    expect_true_counters(0);
                    static_cast<void>(pages.surrender());
                    EXPECT_EQ(fake.reserved_bytes(), 0u);
                },
                how);
    }
    expect_true_counters(20);
    EXPECT_TRUE(is_stamped(kept, 20, 7));
}

// Nobody holds the lock, and yet there is something to repair.
TEST_F(page_tier_fork, memory_that_a_dead_thread_was_purging_comes_back_in_the_child) {
    const uintptr_t base = take(32);
    stamp(base, 32, 7);
    give(base, 16);
    const visitor other(fake, system_call::purge, [this] { EXPECT_GT(pages.purge_all(), 0u); });
    for (const forking how : ways_to_fork())
        in_child(
            [&] {
                fake.on_call({});
                EXPECT_EQ(pages.counts().dirty_bytes, 16 * slice_size)
                    << "nobody knows how far the purge came";
                const page_run run = pages.allocate({16});
                EXPECT_EQ(run.base, base);
                EXPECT_FALSE(run.zeroed);
                give(base, 16);
                expect_that_all_works_in_a_child(16);
            },
            how);
}

TEST_F(page_tier_fork, a_child_does_not_use_what_a_dead_thread_had_just_given_up) {
    give(take(64), 64);
    std::binary_semaphore arrived{0};
    std::binary_semaphore leave{0};
    bool was_there = false; // the other thread's own
    fake.on_released([&] {
        if (was_there)
            return;
        was_there = true;
        arrived.release();
        leave.acquire();
    });
    std::thread other([this] { EXPECT_GT(pages.surrender(), 0u); });
    arrived.acquire();
    for (const forking how : ways_to_fork())
        in_child([&] { expect_that_all_works_in_a_child(0); }, how);
    leave.release();
    other.join();
    fake.on_released({});
    expect_true_counters(0);
}

// A purge goes on in a child that it forked itself, in a signal handler: its slices stay its own until it is
// done, and nobody waits for it.
TEST_F(page_tier_fork, a_purge_that_forks_keeps_its_memory_in_the_child) {
    const uintptr_t base = take(32);
    give(base, 16);
    bool child_came_here = false;
    fake.on_call([&](system_call which) {
        if (which != system_call::purge || child_came_here)
            return;
        child_came_here = true;
        in_child([&] {
            const page_run run = pages.allocate({16});
            EXPECT_NE(run.base, base);
            EXPECT_FALSE(pages.await_purges());
            give(run.base, 16);
        });
    });
    EXPECT_GT(pages.purge_all(), 0u);
    fake.on_call({});
    EXPECT_TRUE(child_came_here);
    expect_true_counters(16);
}

// The same when the lock has to be repaired as well: here they are a whole block, the first, and a long run
// can use it.
TEST_F(page_tier_fork, a_repair_brings_back_what_a_dead_thread_was_purging) {
    const uintptr_t base = take(32);
    stamp(base, 32, 7);
    give(base, 32);
    std::binary_semaphore purging{0};
    std::binary_semaphore committing{0};
    std::binary_semaphore leave_purge{0};
    std::binary_semaphore leave_commit{0};
    fake.on_call([&](system_call which) {
        if (which == system_call::purge) {
            purging.release();
            leave_purge.acquire();
        } else if (which == system_call::commit) {
            committing.release();
            leave_commit.acquire();
        }
    });
    std::thread purger([&] { EXPECT_GT(pages.purge_all(), 0u); });
    purging.acquire();
    std::thread committer([&] { static_cast<void>(take(32)); }); // one call of each kind
    committing.acquire();
    in_child([&] {
        fake.on_call({});
        expect_true_counters(0);
        EXPECT_EQ(pages.counts().dirty_bytes, block_size) << "nobody knows whether they have been purged";
        const page_run run = pages.allocate({64});
        EXPECT_EQ(run.base, base);
        EXPECT_FALSE(run.zeroed);
        expect_true_counters(64);
    });
    leave_purge.release();
    leave_commit.release();
    purger.join();
    committer.join();
    fake.on_call({});
    expect_true_counters(32);
}

} // namespace
} // namespace lowtide::test
