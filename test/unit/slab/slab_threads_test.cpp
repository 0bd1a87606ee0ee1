// One size class under several threads that hand each other their objects.
#include "slab/slab_tier.h"
#include "support/child.h"
#include "support/zeroed.h"

#include <gtest/gtest.h>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

namespace lowtide::test {
namespace {

class slab_threads : public testing::Test {
protected:
    // Takes and gives batches, some of them of objects that another thread has taken.
    void work(unsigned number, int rounds) {
        std::mt19937 random(number);
        std::vector<void*> mine;
        for (int i = 0; i < rounds; ++i) {
            void* batch[100];
            const auto wanted = static_cast<unsigned>(random() % 100 + 1);
            const size_class c = classes[random() % 2];
            const unsigned got = slabs.take(c, batch + wanted, wanted);
            ASSERT_EQ(got, wanted);
            for (unsigned k = 0; k < wanted; ++k) {
                auto* words = static_cast<uintptr_t*>(batch[k]);
                words[0] = index_of(c);
                words[1] = reinterpret_cast<uintptr_t>(words); // a second owner would see it change
                mine.push_back(words);
            }
            swap_with_others(mine);
            for (unsigned k = 0; k < wanted && !mine.empty(); ++k) {
                void* p = mine.back();
                mine.pop_back();
                ASSERT_EQ(static_cast<uintptr_t*>(p)[1], reinterpret_cast<uintptr_t>(p));
                static_cast<uintptr_t*>(p)[1] = 0;
                const size_class its{static_cast<uint8_t>(static_cast<uintptr_t*>(p)[0])};
                ASSERT_EQ(slabs.give(its, &p, 1).error, free_error::none);
            }
        }
        const std::lock_guard guard(exchange);
        offered.insert(offered.end(), mine.begin(), mine.end());
    }

    void swap_with_others(std::vector<void*>& mine) {
        const std::lock_guard guard(exchange);
        std::swap(mine, offered);
    }

    const page_source system{};
    zeroed<page_map> map;
    options settings;
    metadata records{&system};
    ceiling limits;
    page_tier pages{&system, map.get(), &records, &settings, &limits};
    slab_shards shards;
    slab_tier slabs{&shards, &pages, map.get(), &records};
    const size_class classes[2] = {class_holding(64), class_holding(1024)};
    std::mutex exchange;
    std::vector<void*> offered;
};

TEST_F(slab_threads, that_free_each_others_objects_lose_none_and_share_none) {
    std::vector<std::thread> all;
    for (unsigned t = 1; t <= 4; ++t)
        all.emplace_back([this, t] { work(t, 300); });
    for (std::thread& t : all)
        t.join();
    for (void* p : offered)
        ASSERT_EQ(slabs.give(size_class{static_cast<uint8_t>(*static_cast<uintptr_t*>(p))}, &p, 1).error,
                  free_error::none);
    for (const size_class c : classes)
        EXPECT_EQ(slabs.counts(c).free_objects, slabs.counts(c).objects);
    slabs.release_empty();
    EXPECT_EQ(pages.counts().used_bytes, 0u);
}

TEST_F(slab_threads, keep_what_they_have_while_holes_go_back) {
    std::atomic<bool> stop{false};
    std::atomic<size_t> bytes{0};
    std::thread tide([&] {
        bool left = false;
        for (unsigned i = 0; !stop; ++i)
            bytes += slabs.give_holes_back(i % 3, left);
    });
    std::vector<std::thread> all;
    for (unsigned t = 1; t <= 3; ++t)
        all.emplace_back([&, t] {
            do // the other thread may not have run yet
                work(t, 300);
            while (bytes == 0);
        });
    for (std::thread& t : all)
        t.join();
    stop = true;
    tide.join();
    EXPECT_GT(bytes, 0u);
    for (void* p : offered) {
        ASSERT_EQ(static_cast<uintptr_t*>(p)[1], reinterpret_cast<uintptr_t>(p));
        ASSERT_EQ(slabs.give(size_class{static_cast<uint8_t>(*static_cast<uintptr_t*>(p))}, &p, 1).error,
                  free_error::none);
    }
    bool left = false;
    slabs.give_holes_back(0, left);
    EXPECT_EQ(pages.counts().used_bytes, 0u);
}

TEST_F(slab_threads, are_no_harm_to_the_children_that_are_made_meanwhile) {
    std::atomic<bool> stop{false};
    std::vector<std::thread> all;
    for (unsigned t = 1; t <= 2; ++t)
        all.emplace_back([&, t] {
            for (unsigned i = 0; !stop; ++i)
                work(t + 10 * i, 5);
        });
    all.emplace_back([&] {
        bool left = false;
        while (!stop)
            slabs.give_holes_back(0, left);
    });
    for (int i = 0; i < 20; ++i)
        in_child(
            [&] {
                void* batch[1000];
                for (const size_class c : classes) {
                    for (int round = 0; round < 5; ++round) {
                        EXPECT_EQ(slabs.take(c, batch + 1000, 1000), 1000u);
                        for (void* p : batch)
                            *static_cast<uintptr_t*>(p) = 1;
                        EXPECT_EQ(slabs.give(c, batch, 1000).error, free_error::none);
                        EXPECT_EQ(slabs.give(c, batch, 1).error, free_error::double_free);
                    }
                }
                bool left = false;
                slabs.give_holes_back(0, left);
                static_cast<void>(pages.purge_all());
            },
            ways_to_fork().back()); // without libc's handlers, if possible: the locks are caught as they are
    stop = true;
    for (std::thread& t : all)
        t.join();
}

} // namespace
} // namespace lowtide::test
