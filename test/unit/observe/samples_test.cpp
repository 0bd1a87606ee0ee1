// What is kept of sampled allocations: by object and by stack.
#include "observe/samples.h"

#include "support/slab_tier_test.h"

#include <gtest/gtest.h>
#include <map>
#include <random>
#include <thread>

namespace lowtide::test {
namespace {

class sampled : public slab_tier_test {
protected:
    using stack = std::vector<uintptr_t>;

    objects take_many(size_class c, unsigned count) {
        objects taken = take_all(c, count);
        std::sort(taken.begin(), taken.end());
        return taken;
    }
    bool add(void* p, const stack& at, size_t size = 100, double weight = 2, uint64_t now = 0) {
        return all.add(p, *map->find(reinterpret_cast<uintptr_t>(p)), size, weight, at.data(),
                       static_cast<unsigned>(at.size()), now);
    }
    bool remove(void* p, uint64_t now = 0) {
        return all.remove(p, *map->find(reinterpret_cast<uintptr_t>(p)), now) == samples::removal::done;
    }
    sample_site figures(const stack& at) {
        sample_site found;
        all.for_each_site([&](const sample_site& s, const sample_site& now) {
            if (stack(s.frames, s.frames + s.depth) == at)
                found = now;
        });
        return found;
    }
    [[nodiscard]] uint32_t fast_of(const void* p) const {
        return index_of(map->class_at(reinterpret_cast<uintptr_t>(p)));
    }

    samples all{&records, map.get()};
    const stack here{0x1000, 0x2000, 0x3000};
    const stack there{0x1000, 0x2000};
};

TEST_F(sampled, are_counted_by_stack_with_what_they_stand_for) {
    const objects some = take_many(class_of(100), 3);
    EXPECT_FALSE(all.may_have(some[0]));
    EXPECT_TRUE(add(some[0], here, 100, 10));
    EXPECT_TRUE(add(some[1], here, 50, 20));
    EXPECT_TRUE(add(some[2], there, 100, 5));
    EXPECT_EQ(all.count(), 3u);
    EXPECT_TRUE(all.may_have(some[0]));
    EXPECT_EQ(figures(here).in_use.objects, 30);
    EXPECT_EQ(figures(here).in_use.bytes, 2000);
    EXPECT_EQ(figures(here).samples, 2u);
    EXPECT_EQ(figures(there).in_use.bytes, 500);
    EXPECT_TRUE(remove(some[0]));
    EXPECT_FALSE(remove(some[0])) << "it is none by now";
    EXPECT_EQ(figures(here).in_use.objects, 20);
    EXPECT_EQ(figures(here).in_use.bytes, 1000);
    EXPECT_EQ(figures(here).allocated.bytes, 2000);
    EXPECT_EQ(all.in_use().bytes, 1500);
}

TEST_F(sampled, lead_the_frees_of_their_slab_to_the_slow_path_as_long_as_there_are_any) {
    const objects some = take_many(class_of(100), 2);
    const uint32_t usual = fast_of(some[0]);
    EXPECT_NE(usual, 0u);
    add(some[0], here);
    add(some[1], here);
    EXPECT_EQ(fast_of(some[0]), 0u);
    remove(some[0]);
    EXPECT_EQ(fast_of(some[0]), 0u);
    remove(some[1]);
    EXPECT_EQ(fast_of(some[0]), usual);
    give_all(class_of(100), some);
}

TEST_F(sampled, have_lived_for_the_time_between) {
    const objects some = take_many(class_of(100), 2);
    add(some[0], here, 100, 1, 1000);
    add(some[1], here, 100, 3, 2000);
    EXPECT_EQ(figures(here).freed, 0);
    remove(some[0], 5000);
    remove(some[1], 10'000);
    EXPECT_EQ(figures(here).freed, 4);
    EXPECT_EQ(figures(here).lived_ns, 4000 + 3 * 8000);
}

// At every moment, for every stack, what it had when all of them together had the most: compared with a
// model.
TEST_F(sampled, know_what_was_in_use_when_the_most_was) {
    const std::vector<stack> stacks = {{1}, {2}, {1, 2}, {2, 1}, {3, 3, 3}};
    const objects some = take_many(class_of(64), 200);
    std::mt19937 random(7);
    std::map<void*, std::pair<size_t, double>> live;
    std::vector<double> now(stacks.size());
    std::vector<double> at_peak(stacks.size());
    double most = 0;
    for (int i = 0; i < 5000; ++i) {
        void* p = some[random() % (20 + 180 * static_cast<unsigned>(i % 1000 < 500))];
        if (const auto found = live.find(p); found != live.end()) {
            remove(p);
            now[found->second.first] -= found->second.second;
            live.erase(found);
        } else {
            const size_t which = random() % stacks.size();
            const size_t size = random() % 60 + 1;
            add(p, stacks[which], size, 4);
            live[p] = {which, 4.0 * static_cast<double>(size)};
            now[which] += 4.0 * static_cast<double>(size);
        }
        double total = 0;
        for (const double bytes : now)
            total += bytes;
        if (total > most) {
            most = total;
            at_peak = now;
        }
        for (size_t s = 0; i % 50 == 0 && s < stacks.size(); ++s)
            ASSERT_EQ(figures(stacks[s]).peak.bytes, at_peak[s]) << "step " << i;
    }
}

TEST_F(sampled, are_found_however_many_there_are) {
    const objects some = take_many(class_of(16), 20'000);
    for (size_t i = 0; i < some.size(); ++i)
        ASSERT_TRUE(add(some[i], {i % 3000 + 1, 5}, 16, 1));
    EXPECT_EQ(all.count(), some.size());
    for (size_t i = 0; i < some.size(); i += 2)
        ASSERT_TRUE(remove(some[i]));
    size_t stacks = 0;
    size_t in_use = 0;
    all.for_each_site([&](const sample_site&, const sample_site& now) {
        ++stacks;
        in_use += now.samples;
    });
    EXPECT_EQ(stacks, 3000u);
    EXPECT_EQ(in_use, some.size() / 2);
    for (size_t i = 1; i < some.size(); i += 2)
        ASSERT_TRUE(all.may_have(some[i]));
    for (size_t i = 1; i < some.size(); i += 2)
        ASSERT_TRUE(remove(some[i]));
    EXPECT_EQ(all.count(), 0u);
    EXPECT_EQ(all.in_use().bytes, 0);
}

TEST_F(sampled, that_move_keep_what_is_known_of_them) {
    const objects some = take_many(class_of(100), 2);
    add(some[0], here, 50, 2, 10);
    span& s = *map->find(reinterpret_cast<uintptr_t>(some[0]));
    all.move(some[0], some[1], s, 90);
    EXPECT_EQ(figures(here).in_use.bytes, 180);
    EXPECT_EQ(all.count(), 1u);
    remove(some[1], 30);
    EXPECT_EQ(figures(here).lived_ns, 40);
    EXPECT_EQ(all.count(), 0u);
}

TEST_F(sampled, are_none_without_memory_and_nothing_else_happens) {
    const objects some = take_many(class_of(100), 1);
    fake.refuse(system_call::map);
    while (records.allocate(64) != nullptr) {
    }
    EXPECT_FALSE(add(some[0], here));
    EXPECT_EQ(all.count(), 0u);
    EXPECT_NE(fast_of(some[0]), 0u);
    EXPECT_FALSE(remove(some[0]));
}

// A page whose one object in use keeps the rest of it; and one that is full.
TEST_F(sampled, pin_what_is_free_on_their_pages) {
    const size_class c = class_of(64);
    const objects some = take_many(c, 128); // two pages
    const objects freed(some.begin() + 1, some.begin() + 64);
    give_all(c, freed);
    add(some[0], here, 64, 3);
    add(some[64], there, 64, 3);
    all.measure_pinned([](span& s, uintptr_t p) noexcept { return slab_tier::pinned_bytes(s, p); });
    EXPECT_EQ(figures(here).pinned_bytes, 3 * 63 * 64.0);
    EXPECT_EQ(figures(there).pinned_bytes, 0);
}

TEST_F(sampled, are_recorded_by_many_threads_at_a_time) {
    constexpr unsigned threads = 4;
    const objects some = take_many(class_of(64), threads * 100);
    std::vector<std::thread> running;
    for (unsigned t = 0; t < threads; ++t)
        running.emplace_back([&, t] {
            std::mt19937 random(t);
            for (int round = 0; round < 300; ++round) {
                for (unsigned i = 0; i < 100; ++i)
                    ASSERT_TRUE(add(some[t * 100 + i], {random() % 10 + 1}, 64, 1));
                for (unsigned i = 0; i < 100; ++i) {
                    ASSERT_TRUE(all.may_have(some[t * 100 + i]));
                    ASSERT_TRUE(remove(some[t * 100 + i]));
                }
            }
        });
    for (int i = 0; i < 100; ++i)
        all.for_each_site([](const sample_site&, const sample_site& now) { EXPECT_GE(now.in_use.bytes, 0); });
    for (std::thread& each : running)
        each.join();
    EXPECT_EQ(all.count(), 0u);
    EXPECT_EQ(all.in_use().objects, 0);
}

} // namespace
} // namespace lowtide::test
