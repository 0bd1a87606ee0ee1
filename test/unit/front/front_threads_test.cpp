// The front under several threads, with more threads than slots, and objects that one takes and another
// frees.
#include "front/front.h"
#include "os/thread.h"
#include "support/child.h"
#include "support/zeroed.h"

#include <gtest/gtest.h>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

namespace lowtide::test {
namespace {

std::atomic<int> wrong_frees{0};
void count_wrong_free(free_error, const void*, size_class) noexcept {
    ++wrong_frees;
}

class front_threads : public testing::Test {
protected:
    front_threads() {
        lowtide_thread.slot = 0; // not another test's
        settings.rseq = false;
        settings.dirty_cap = 1 * mebibyte;
        caches.start(2, 1);
    }

    // The first words of an object: its class and its own address, while somebody holds it.
    struct object {
        size_t c;
        object* self;
    };

    object* take(size_class c) {
        auto* p = static_cast<object*>(caches.allocate(c));
        EXPECT_NE(p, nullptr);
        *p = {index_of(c), p};
        return p;
    }
    void give(object* p) {
        EXPECT_EQ(p->self, p) << "two owners";
        p->self = nullptr;
        caches.release(size_class{static_cast<uint8_t>(p->c)}, p);
    }

    void work(unsigned number, int rounds) {
        std::mt19937 random(number);
        std::vector<object*> mine;
        for (int i = 0; i < rounds; ++i) {
            const size_class c = classes[random() % std::size(classes)];
            for (auto n = static_cast<int>(random() % 300); n > 0; --n)
                mine.push_back(take(c));
            {
                const std::lock_guard guard(exchange);
                std::swap(mine, offered);
            }
            for (size_t n = mine.size() * 9 / 10; n > 0; --n) {
                give(mine.back());
                mine.pop_back();
            }
            if (i % 50 == 0)
                caches.drain();
        }
        for (object* p : mine)
            give(p);
    }

    const page_source system{};
    zeroed<fast_state> state;
    options settings;
    metadata records{&system};
    ceiling limits;
    page_tier pages{&system, &state->map, &records, &settings, &limits};
    run_tier runs{&pages, &state->map, &records, &system};
    slab_shards shards;
    slab_tier slabs{&shards, &pages, &state->map, &records};
    depot magazines_waiting;
    chance samples;
    front caches{state.get(), &magazines_waiting, &samples, &slabs,    &runs,   &pages,
                 &state->map, &records,           &settings, &system, count_wrong_free};
    const size_class classes[3] = {class_holding(32), class_holding(1024), class_holding(30'000)};
    std::mutex exchange;
    std::vector<object*> offered;
};

TEST_F(front_threads, that_free_each_others_objects_lose_none_and_share_none) {
    std::vector<std::thread> all;
    for (unsigned t = 1; t <= 4; ++t)
        all.emplace_back([this, t] { work(t, 150); });
    for (std::thread& t : all)
        t.join();
    for (object* p : offered)
        give(p);
    for (const size_class c : classes)
        EXPECT_EQ(slabs.counts(c).objects - slabs.counts(c).free_objects, caches.cached(c));
    EXPECT_EQ(wrong_frees, 0);
    caches.drain();
    EXPECT_EQ(caches.words().magazines(), 0u);
    EXPECT_EQ(pages.counts().used_bytes, 0u);
}

TEST_F(front_threads, that_come_and_go_leave_no_more_than_the_slots_hold) {
    for (unsigned i = 0; i < 200; ++i)
        std::thread([this, i] {
            std::vector<object*> mine;
            for (int n = 0; n < 500; ++n)
                mine.push_back(take(classes[i % 2]));
            for (object* p : mine)
                give(p);
        }).join();
    EXPECT_LE(caches.words().magazines(), 2 * 3 * caches.words().rows());
}

TEST_F(front_threads, keep_a_run_warm_however_many_have_come_and_gone) {
    const size_class c = class_holding(1 * mebibyte);
    const auto take_run = [&] {
        void* p = caches.allocate_cached(c);
        return p != nullptr ? p : reinterpret_cast<void*>(runs.allocate(1 * mebibyte, slice_size).s->base);
    };
    std::vector<std::thread> all;
    for (unsigned t = 0; t < 4; ++t)
        all.emplace_back([&] {
            for (int i = 0; i < 2000; ++i)
                caches.release(c, take_run());
        });
    for (std::thread& t : all)
        t.join();
    EXPECT_EQ(runs.count(c), caches.cached(c));
    caches.release(c, take_run());
    EXPECT_GT(caches.cached(c), 0u);
}

TEST_F(front_threads, can_ask_what_is_cached_while_others_work) {
    std::atomic<bool> stop{false};
    std::thread asker([&] {
        while (!stop) {
            for (const size_class c : classes)
                EXPECT_LT(caches.cached(c) * object_size(c), 1024 * mebibyte);
            EXPECT_LE(caches.parked().bytes, settings.dirty_cap);
        }
    });
    std::thread worker([this] { work(1, 100); });
    worker.join();
    stop = true;
    asker.join();
}

TEST_F(front_threads, are_no_harm_to_the_children_that_are_made_meanwhile) {
    std::atomic<bool> stop{false};
    std::vector<std::thread> all;
    for (unsigned t = 1; t <= 2; ++t)
        all.emplace_back([&, t] {
            for (unsigned i = 0; !stop; ++i)
                work(t + 10 * i, 5);
        });
    for (int i = 0; i < 20; ++i)
        in_child(
            [&] {
                for (const size_class c : classes) {
                    for (int round = 0; round < 10; ++round) {
                        object* some[300];
                        for (object*& p : some)
                            p = take(c);
                        for (object* p : some)
                            give(p);
                    }
                }
                caches.drain();
                static_cast<void>(pages.purge_all());
                EXPECT_EQ(wrong_frees, 0);
            },
            ways_to_fork().back());
    stop = true;
    for (std::thread& t : all)
        t.join();
}

} // namespace
} // namespace lowtide::test
