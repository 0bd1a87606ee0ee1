// The magazines of the locked policy in use: objects are kept exactly, counted exactly, and given back.
#include "support/front_test.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <set>

namespace lowtide::test {
namespace {

class magazines : public front_test {};

TEST_F(magazines, hand_out_objects_of_every_class_once) {
    start();
    for (unsigned i = 1; i <= slab_classes; ++i) {
        const size_class c{static_cast<uint8_t>(i)};
        std::set<void*> seen;
        for (void* p : take(c, 100)) {
            EXPECT_TRUE(seen.insert(p).second);
            EXPECT_EQ(slabs.examine(*map->find(reinterpret_cast<uintptr_t>(p)), p), free_error::none);
        }
        EXPECT_EQ(held(c), 100u);
        give(c, {seen.begin(), seen.end()});
        EXPECT_EQ(held(c), 0u);
    }
    expect_that_all_goes_back();
}

TEST_F(magazines, and_slabs_together_have_every_object_exactly_once) {
    start();
    const size_class classes[] = {class_of(16), class_of(100), class_of(1024), class_of(20'000),
                                  class_of(65'536)};
    std::mt19937 random(1);
    std::vector<std::vector<uint64_t*>> live(std::size(classes));
    for (uint64_t i = 1; i < 20'000; ++i) {
        const size_t k = random() % std::size(classes);
        // Bulges that fill and empty many magazines, and small steps at their borders.
        const size_t n = random() % 20 == 0 ? 400 : random() % 4;
        for (size_t j = 0; j < n; ++j) {
            if (random() % 1000 < 500 + 400 * (i / 2000 % 2 == 0) - 200) {
                auto* p = static_cast<uint64_t*>(caches.allocate(classes[k]));
                ASSERT_NE(p, nullptr);
                *p = reinterpret_cast<uintptr_t>(p);
                live[k].push_back(p);
            } else if (!live[k].empty()) {
                std::swap(live[k][random() % live[k].size()], live[k].back());
                ASSERT_EQ(*live[k].back(), reinterpret_cast<uintptr_t>(live[k].back())) << "two owners";
                *live[k].back() = 0;
                caches.release(classes[k], live[k].back());
                live[k].pop_back();
            }
        }
        fake.advance(random() % 3);
        ASSERT_EQ(held(classes[k]), live[k].size());
    }
    for (size_t k = 0; k < std::size(classes); ++k) {
        for (uint64_t* p : live[k])
            caches.release(classes[k], p);
        EXPECT_EQ(held(classes[k]), 0u);
    }
    EXPECT_TRUE(wrong_frees.empty());
    expect_that_all_goes_back();
}

TEST_F(magazines, hand_out_last_what_came_first) {
    start();
    const size_class c = class_of(64);
    const std::vector<void*> some = take(c, 10);
    give(c, some);
    for (auto p = some.rbegin(); p != some.rend(); ++p)
        EXPECT_EQ(caches.allocate(c), *p);
}

// A thread that frees what another made, and then makes objects of its own, gets none of that one's cache
// line.
TEST_F(magazines, do_not_hand_out_at_once_what_came_first_of_a_shared_cache_line) {
    start();
    for (const size_t size : {size_t{16}, size_t{32}, size_t{48}}) {
        const size_class c = class_of(size);
        void* neighbours[2];
        ASSERT_EQ(slabs.take(c, neighbours + 2, 2), 2u);
        caches.release(c, neighbours[0]);
        const auto line = [](const void* p) { return reinterpret_cast<uintptr_t>(p) / cache_line; };
        std::vector<void*> own = take(c, 20);
        for (const void* p : own)
            EXPECT_NE(line(p), line(neighbours[1])) << size;
        own.push_back(neighbours[1]);
        give(c, own);
        EXPECT_EQ(held(c), 0u);
    }
    expect_that_all_goes_back();
}

TEST_F(magazines, start_small_and_grow_with_use) {
    start();
    const size_class c = class_of(64);
    static_cast<void>(take(c, 1));
    const size_t first = caches.cached(c);
    EXPECT_LE(first * 64, 16 * kibibyte) << "a small program carves little";
    size_t most = 0;
    for (int i = 0; i < 10'000; ++i) {
        static_cast<void>(take(c, 1));
        most = std::max(most, caches.cached(c));
    }
    EXPECT_GT(most, first);
    EXPECT_LE(most, 2 * max_magazine_capacity);
}

TEST_F(magazines, and_depots_hold_a_bounded_amount) {
    start();
    for (const size_t size : {size_t{64}, 1 * kibibyte, 32 * kibibyte, 64 * kibibyte}) {
        const size_class c = class_of(size);
        give(c, take(c, 64 * mebibyte / size));
        EXPECT_LE(caches.cached(c) * size, 8 * mebibyte) << size;
        EXPECT_LE(caches.cached(c), 16'000u) << size;
        EXPECT_EQ(held(c), 0u);
    }
}

TEST_F(magazines, of_nobody_in_use_go_back_by_and_by) {
    start();
    const size_class idle = class_of(512);
    const size_class busy = class_of(64);
    give(idle, take(idle, 20'000));
    ASSERT_GT(caches.cached(idle), 1000u);
    for (int interval = 0; interval < 6; ++interval) {
        fake.advance(1000);
        give(busy, take(busy, 20'000)); // work goes on elsewhere
    }
    EXPECT_LE(caches.cached(idle) * 512, settings.cache_bytes) << "at most one magazine";
    EXPECT_EQ(held(idle), 0u);
}

TEST_F(magazines, that_nobody_touched_since_the_last_look_go_back_or_all) {
    start();
    const size_class rests = class_of(64);
    const size_class works = class_of(1024);
    const size_class only_seen_now = class_of(200);
    give(rests, take(rests, 100));
    give(works, take(works, 100));
    caches.return_rested(false);
    EXPECT_GT(caches.cached(rests), 0u) << "not looked at before";
    const std::vector<void*> one = take(works, 1);
    give(only_seen_now, take(only_seen_now, 10));
    caches.return_rested(false);
    EXPECT_EQ(caches.cached(rests), 0u);
    EXPECT_GT(caches.cached(works), 0u);
    EXPECT_GT(caches.cached(only_seen_now), 0u);
    give(works, one);
    caches.return_rested(true);
    EXPECT_EQ(caches.cached(works), 0u);
    EXPECT_EQ(caches.cached(only_seen_now), 0u);
    EXPECT_TRUE(wrong_frees.empty());
}

TEST_F(magazines, give_everything_back_on_request) {
    start();
    for (const size_t size : {16u, 500u, 5000u, 60'000u}) {
        const size_class c = class_of(size);
        give(c, take(c, 3000));
    }
    const span_result run = runs.allocate(1 * mebibyte, slice_size);
    caches.release(run.s->sc, reinterpret_cast<void*>(run.s->base));
    EXPECT_EQ(caches.cached(run.s->sc), 1u);
    expect_that_all_goes_back();
    EXPECT_TRUE(wrong_frees.empty());
}

TEST_F(magazines, keep_a_run_warm) {
    start();
    const span_result run = runs.allocate(1 * mebibyte, slice_size);
    const size_class c = run.s->sc;
    void* p = reinterpret_cast<void*>(run.s->base);
    EXPECT_EQ(caches.allocate_cached(c), nullptr) << "there is none yet";
    caches.release(c, p);
    EXPECT_EQ(runs.count(c), 1u);
    EXPECT_EQ(caches.cached(c), 1u);
    EXPECT_EQ(caches.allocate_cached(c), p);
    EXPECT_EQ(caches.cached(c), 0u);
    caches.release(c, p);
    expect_that_all_goes_back();
}

TEST_F(magazines, hold_a_bounded_number_of_runs) {
    start();
    std::vector<span_result> many;
    for (int i = 0; i < 50; ++i)
        many.push_back(runs.allocate(1 * mebibyte, slice_size));
    const size_class c = many[0].s->sc;
    for (const span_result& run : many)
        caches.release(c, reinterpret_cast<void*>(run.s->base));
    EXPECT_LE(caches.cached(c), 4u);
    EXPECT_EQ(runs.count(c), caches.cached(c));
    expect_that_all_goes_back();
}

// ---- the large run that each row keeps

TEST_F(magazines, have_a_place_for_one_large_run_beside_them) {
    settings.dirty_cap = 64 * mebibyte;
    start();
    span& s = *caches.allocate_run(4 * mebibyte, slice_size).s;
    caches.release_run(s);
    EXPECT_TRUE(s.parked);
    EXPECT_EQ(caches.parked().count, 1u);
    EXPECT_EQ(caches.parked().bytes, 4 * mebibyte);
    const span_result again = caches.allocate_run(4 * mebibyte - slice_size, slice_size);
    EXPECT_EQ(again.s, &s);
    EXPECT_FALSE(again.zeroed || s.parked);
    EXPECT_EQ(caches.parked().count, 0u);
    EXPECT_EQ(runs.count(size_class{}), 1u);
    caches.release_run(s);
    expect_that_all_goes_back();
    EXPECT_EQ(caches.parked().count, 0u);
}

TEST_F(magazines, keep_the_last_large_run_only_and_only_for_a_like_size) {
    settings.dirty_cap = 64 * mebibyte;
    start();
    span& a = *caches.allocate_run(3 * mebibyte, slice_size).s;
    span& b = *caches.allocate_run(4 * mebibyte, slice_size).s;
    caches.release_run(a);
    caches.release_run(b);
    EXPECT_EQ(caches.parked().bytes, 4 * mebibyte);
    EXPECT_EQ(runs.unclassed_bytes(), 4 * mebibyte);
    span& small = *caches.allocate_run(3 * mebibyte, slice_size).s;
    EXPECT_EQ(caches.parked().count, 0u) << "the other one was too large, and is gone";
    EXPECT_EQ(runs.unclassed_bytes(), 3 * mebibyte);
    caches.release_run(small);
    span& large = *caches.allocate_run(5 * mebibyte, slice_size).s;
    EXPECT_EQ(runs.unclassed_bytes(), 5 * mebibyte);
    caches.release_run(large);
    expect_that_all_goes_back();
}

TEST_F(magazines, keep_no_large_runs_beyond_the_cap_on_dirty_memory) {
    start();
    caches.release_run(*caches.allocate_run(settings.dirty_cap, slice_size).s);
    EXPECT_EQ(caches.parked().count, 0u) << "all rows together would hold more";
    EXPECT_EQ(pages.counts().used_bytes, 0u);
}

TEST_F(magazines, give_a_large_run_back_that_waits_in_vain) {
    settings.dirty_cap = 64 * mebibyte;
    start();
    caches.release_run(*caches.allocate_run(4 * mebibyte, slice_size).s);
    fake.advance(1000);
    give(class_of(64), take(class_of(64), 20'000));
    EXPECT_EQ(caches.parked().count, 0u);
}

TEST_F(magazines, lose_no_large_run_that_a_signal_handler_frees) {
    settings.dirty_cap = 64 * mebibyte;
    start();
    span& first = *caches.allocate_run(4 * mebibyte, slice_size).s;
    span& second = *caches.allocate_run(4 * mebibyte, slice_size).s;
    caches.release_run(first);
    bool came = false;
    fake.on_call([&](system_call which) {
        if (which != system_call::commit || came)
            return;
        came = true;
        caches.release_run(second); // takes the first one's place
    });
    EXPECT_NE(pages.allocate({640}).base, 0u);
    ASSERT_TRUE(came);
    fake.on_call({});
    for (void* p = caches.take_deferred(); p != nullptr;) {
        void* next = front::next_deferred(p);
        caches.release_run(*map->find(reinterpret_cast<uintptr_t>(p)));
        p = next;
    }
    caches.drain();
    EXPECT_EQ(runs.count(size_class{}), 0u);
}

TEST_F(magazines, are_not_used_where_the_options_say_so) {
    for (const bool check : {false, true}) {
        settings.check = check;
        settings.cache_bytes = check ? options{}.cache_bytes : 0;
        if (!check)
            start();
        EXPECT_FALSE(caches.uses_magazines());
        const size_class c = class_of(64);
        give(c, take(c, 1000));
        EXPECT_EQ(caches.cached(c), 0u);
        EXPECT_EQ(caches.words().magazines(), 0u);
        EXPECT_EQ(slabs.counts(c).free_objects, slabs.counts(c).objects);
        EXPECT_EQ(caches.allocate_cached(class_of(mebibyte)), nullptr);
        expect_that_all_goes_back();
    }
}

// ---- without memory

TEST_F(magazines, without_memory_end_in_null_and_recover) {
    start();
    const size_class c = class_of(1024);
    for (const system_call which : {system_call::map, system_call::reserve, system_call::commit}) {
        fake.refuse(system_call::commit);
        fake.refuse(which);
        std::vector<void*> all;
        while (void* p = caches.allocate(c)) {
            all.push_back(p);
            ASSERT_LT(all.size(), 100'000u);
        }
        EXPECT_EQ(caches.allocate(c), nullptr);
        EXPECT_EQ(held(c), all.size());
        if (!all.empty()) {
            caches.release(c, all.back());
            EXPECT_EQ(caches.allocate(c), all.back()) << "what is freed can be had again";
        }
        fake.refuse(system_call::commit, false);
        fake.refuse(which, false);
        give(c, all);
        give(c, take(c, 10'000));
        EXPECT_EQ(held(c), 0u);
    }
    expect_that_all_goes_back();
}

TEST_F(magazines, without_memory_for_themselves_are_gone_round) {
    start();
    const size_class c = class_of(64);
    void* first = caches.allocate(c);
    fake.refuse(system_call::map);
    std::vector<void*> all;
    while (void* p = caches.allocate(class_of(80))) // uses all records up, and is served nevertheless
        all.push_back(p);
    EXPECT_GT(all.size(), 1000u);
    for (void* p : all)
        caches.release(class_of(80), p);
    EXPECT_EQ(held(class_of(80)), 0u);
    caches.release(c, first);
    EXPECT_EQ(held(c), 0u);
}

TEST_F(magazines, lose_nothing_by_any_one_refusal) {
    start();
    const size_class c = class_of(5000);
    bool refused = true;
    for (unsigned n = 1; refused; ++n) {
        ASSERT_LT(n, 1000u);
        fake.refuse_nth(n);
        std::vector<void*> some;
        for (int i = 0; i < 3000; ++i)
            if (void* p = caches.allocate(c))
                some.push_back(p);
        refused = fake.refused_nth();
        fake.refuse_nth(0);
        ASSERT_GT(some.size(), 2000u) << "one refusal is no end";
        ASSERT_EQ(held(c), some.size());
        give(c, some);
        ASSERT_EQ(held(c), 0u);
        expect_that_all_goes_back();
        static_cast<void>(pages.surrender());
    }
}

// ---- wrong frees

TEST_F(magazines, find_a_double_free_when_they_are_emptied) {
    start();
    const size_class c = class_of(64);
    void* p = take(c, 1).front();
    caches.release(c, p);
    caches.release(c, p);
    caches.drain();
    ASSERT_EQ(wrong_frees.size(), 1u);
    EXPECT_EQ(wrong_frees[0].error, free_error::double_free);
    EXPECT_EQ(wrong_frees[0].object, p);
    EXPECT_EQ(wrong_frees[0].c, c);
}

TEST_F(magazines, that_are_off_let_every_wrong_free_be_found_at_once) {
    settings.check = true;
    start();
    const size_class c = class_of(64);
    auto* p = static_cast<char*>(take(c, 1).front());
    caches.release(c, p + 16);
    caches.release(c, p);
    caches.release(c, p);
    int local = 0;
    caches.release(c, &local);
    ASSERT_EQ(wrong_frees.size(), 3u);
    EXPECT_EQ(wrong_frees[0].error, free_error::interior);
    EXPECT_EQ(wrong_frees[1].error, free_error::double_free);
    EXPECT_EQ(wrong_frees[2].error, free_error::foreign);
}

TEST_F(magazines, find_a_double_free_of_a_run) {
    start();
    const span_result run = runs.allocate(1 * mebibyte, slice_size);
    const size_class c = run.s->sc;
    void* p = reinterpret_cast<void*>(run.s->base);
    caches.release(c, p);
    caches.release(c, p);
    caches.drain();
    ASSERT_EQ(wrong_frees.size(), 1u);
    EXPECT_EQ(wrong_frees[0].error, free_error::double_free);
    EXPECT_EQ(wrong_frees[0].object, p);
}

// ---- what signal handlers free

TEST_F(magazines, know_the_freed_runs_that_they_hold) {
    start();
    const size_class c = class_of(300'000);
    const auto some_run = [&] { return reinterpret_cast<void*>(runs.allocate(object_size(c), 16).s->base); };
    void* freed[] = {some_run(), some_run()};
    void* live = some_run();
    for (void* p : freed)
        caches.release(c, p);
    ASSERT_EQ(caches.cached(c), 2u);
    for (const void* p : freed)
        EXPECT_TRUE(caches.holds(c, p));
    EXPECT_FALSE(caches.holds(c, live));
    EXPECT_FALSE(caches.holds(size_class{}, live));
    EXPECT_EQ(caches.cached(c), 2u) << "they are where they were";
    EXPECT_EQ(caches.allocate_cached(c), freed[1]);
    EXPECT_FALSE(caches.holds(c, freed[1]));
    EXPECT_EQ(caches.allocate_cached(c), freed[0]);
    for (void* p : {freed[0], freed[1], live})
        caches.release(c, p);
    expect_that_all_goes_back();
}

TEST_F(magazines, let_objects_wait_that_a_handler_cannot_give_back) {
    start();
    const std::vector<void*> some = take(class_of(64), 3);
    EXPECT_FALSE(caches.has_deferred());
    EXPECT_EQ(caches.take_deferred(), nullptr);
    for (void* p : some)
        caches.defer(p);
    EXPECT_TRUE(caches.has_deferred());
    std::vector<void*> waiting;
    for (void* p = caches.take_deferred(); p != nullptr; p = front::next_deferred(p))
        waiting.push_back(p);
    EXPECT_EQ(std::set<void*>(waiting.begin(), waiting.end()), std::set<void*>(some.begin(), some.end()));
    EXPECT_FALSE(caches.has_deferred());
    EXPECT_EQ(held(class_of(64)), 3u);
}

TEST_F(magazines, are_gone_round_by_a_handler_in_the_middle_of_the_tiers) {
    start();
    const size_class c = class_of(64);
    const std::vector<void*> some = take(c, 3000);
    const span_result run = runs.allocate(2 * mebibyte, slice_size);
    const span_result spare = runs.allocate(2 * mebibyte, slice_size);
    caches.release(spare.s->sc, reinterpret_cast<void*>(spare.s->base)); // so that there is room for no other
    bool came = false;
    fake.on_call([&](system_call which) {
        if (which != system_call::commit || came)
            return;
        came = true;
        give(c, some);
        caches.release(run.s->sc, reinterpret_cast<void*>(run.s->base));
        static_cast<void>(caches.allocate(class_of(60'000)));
    });
    static_cast<void>(pages.allocate({32}));
    static_cast<void>(pages.allocate({32}));
    ASSERT_TRUE(came);
    fake.on_call({});
    size_t waiting = 0;
    for (void* p = caches.take_deferred(); p != nullptr; ++waiting) {
        void* next = front::next_deferred(p);
        caches.release(map->find(reinterpret_cast<uintptr_t>(p))->sc, p);
        p = next;
    }
    EXPECT_GT(waiting, 0u) << "the run, for one, could not be given back there";
    EXPECT_EQ(held(c), 0u);
    EXPECT_TRUE(wrong_frees.empty());
    caches.drain();
    EXPECT_EQ(runs.count(run.s->sc), 0u);
}

} // namespace
} // namespace lowtide::test
