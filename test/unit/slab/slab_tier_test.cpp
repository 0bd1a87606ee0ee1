// Objects out of slabs: which ones are handed out, and when a slab comes and goes.
#include "support/slab_tier_test.h"

#include <random>
#include <set>

namespace lowtide::test {
namespace {

class slab_objects : public slab_tier_test {};

TEST_F(slab_objects, of_every_class_are_handed_out_once_the_lowest_first) {
    for (unsigned i = 1; i <= slab_classes; ++i) {
        const size_class c{static_cast<uint8_t>(i)};
        const class_geometry& g = geometry_of(c);
        const objects all = fill_slab(c);
        const auto lowest = reinterpret_cast<uintptr_t>(all.back());
        for (size_t k = 0; k < all.size(); ++k)
            ASSERT_EQ(reinterpret_cast<uintptr_t>(all[all.size() - 1 - k]), lowest + k * g.object_size);
        const span* s = slab_of(all.back());
        ASSERT_NE(s, nullptr);
        EXPECT_EQ(s->base, lowest);
        EXPECT_EQ(slab_of(all.front()), s);
        EXPECT_EQ(slabs.counts(c).slabs, 1u);
        EXPECT_EQ(slabs.counts(c).free_objects, 0u);
        give_all(c, all);
        EXPECT_EQ(slabs.counts(c).free_objects, g.capacity);
    }
}

TEST_F(slab_objects, are_never_handed_out_twice) {
    const size_class c = class_of(100);
    std::set<void*> seen;
    for (const unsigned wanted : {1u, 2u, 63u, 64u, 65u, 1000u, 5000u})
        for (void* p : take_all(c, wanted))
            EXPECT_TRUE(seen.insert(p).second);
    EXPECT_EQ(slabs.counts(c).objects - slabs.counts(c).free_objects, seen.size());
}

TEST_F(slab_objects, that_came_back_are_handed_out_again_the_lowest_first) {
    const size_class c = class_of(64);
    const objects all = fill_slab(c);
    objects returned;
    for (size_t i = 0; i < all.size(); i += 3)
        returned.push_back(all[i]);
    objects shuffled = returned;
    std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(1));
    give_all(c, shuffled);
    EXPECT_EQ(take_all(c, static_cast<unsigned>(returned.size())), returned);
}

// Those beside an object in use on another processor's cache line come last.
TEST_F(slab_objects, come_on_cache_lines_of_their_own_while_there_are_such) {
    for (const size_t size : {size_t{16}, size_t{32}, size_t{48}}) {
        SCOPED_TRACE(size);
        const size_class c = class_of(size);
        const unsigned line = objects_on_whole_lines(c);
        EXPECT_EQ(line * size % cache_line, 0u);
        objects all = fill_slab(c);
        std::sort(all.begin(), all.end());
        // Of the first line one is in use, the next two are free, of all the others again one is in use.
        objects free;
        for (size_t i = 0; i < all.size(); ++i)
            if (i % line != 0 || i / line == 1 || i / line == 2)
                free.push_back(all[i]);
        give_all(c, free);
        objects whole = take_all(c, 2 * line);
        std::sort(whole.begin(), whole.end());
        EXPECT_EQ(whole, objects(all.begin() + line, all.begin() + 3 * line));
        objects rest = take_all(c, static_cast<unsigned>(free.size() - whole.size()));
        rest.insert(rest.end(), whole.begin(), whole.end());
        std::sort(rest.begin(), rest.end());
        EXPECT_EQ(rest, free);
    }
}

TEST_F(slab_objects, have_memory_that_nobody_writes_while_they_are_free) {
    const size_class c = class_of(64);
    const objects all = fill_slab(c);
    for (void* p : all)
        memset(p, 0x5a, 64);
    give_all(c, all);
    for (const void* p : all)
        for (size_t i = 0; i < 64; ++i)
            ASSERT_EQ(static_cast<const unsigned char*>(p)[i], 0x5a);
}

TEST_F(slab_objects, come_from_the_fullest_slab_first) {
    const size_class c = class_of(1024);
    const unsigned capacity = geometry_of(c).capacity;
    objects slab[4];
    for (objects& all : slab)
        all = fill_slab(c);
    const auto give_some = [&](objects& from, unsigned count) {
        give_all(c, {from.end() - count, from.end()});
    };
    const unsigned room[3] = {capacity * 3 / 4, capacity / 8, capacity / 2};
    for (int i = 0; i < 3; ++i)
        give_some(slab[i], room[i]);
    for (const int next : {1, 2, 0})
        for (const void* p : take_all(c, room[next]))
            EXPECT_EQ(slab_of(p), slab_of(slab[next].front())) << next;
    EXPECT_EQ(slabs.counts(c).free_objects, 0u);
}

TEST_F(slab_objects, that_came_back_let_empty_slabs_go_but_for_one) {
    const size_class c = class_of(1024);
    objects all = take_all(c, 10 * geometry_of(c).capacity);
    EXPECT_EQ(slabs.counts(c).slabs, 10u);
    std::shuffle(all.begin(), all.end(), std::mt19937(1));
    give_all(c, all);
    EXPECT_LE(slabs.counts(c).slabs, 2u);
    EXPECT_EQ(slabs.counts(c).free_objects, slabs.counts(c).objects);
    EXPECT_EQ(pages.counts().used_bytes, slabs.counts(c).slabs * geometry_of(c).slices * slice_size);
}

TEST_F(slab_objects, keep_their_slab_when_the_empty_ones_go) {
    const size_class kept = class_of(200);
    const objects held = take_all(kept, 3);
    for (unsigned i = 1; i <= slab_classes; ++i)
        give_all(size_class{static_cast<uint8_t>(i)}, fill_slab(size_class{static_cast<uint8_t>(i)}));
    slabs.release_empty();
    for (unsigned i = 1; i <= slab_classes; ++i) {
        const class_counts n = slabs.counts(size_class{static_cast<uint8_t>(i)});
        EXPECT_EQ(n.slabs, n.objects == n.free_objects ? 0u : 1u);
    }
    EXPECT_EQ(slabs.counts(kept).objects - slabs.counts(kept).free_objects, 3u);
    EXPECT_EQ(pages.counts().used_bytes, geometry_of(kept).slices * slice_size);
    EXPECT_EQ(slab_of(held.front())->sc, kept);
    give_all(kept, held);
    slabs.release_empty();
    expect_true_counters(0);
}

TEST_F(slab_objects, of_a_gone_slab_are_nobodys) {
    const size_class c = class_of(48);
    const objects all = fill_slab(c);
    give_all(c, all);
    slabs.release_empty();
    for (const void* p : all)
        EXPECT_EQ(slab_of(p), nullptr);
    EXPECT_EQ(give_one(c, all.front()), free_error::foreign);
}

TEST_F(slab_objects, are_counted_exactly_in_random_use) {
    const size_class classes[] = {class_of(16), class_of(112), class_of(3000), class_of(40'000),
                                  class_of(65'536)};
    std::mt19937 random(1);
    std::vector<objects> live(std::size(classes));
    for (int i = 0; i < 4000; ++i) {
        const size_t k = random() % std::size(classes);
        const size_class c = classes[k];
        const auto n = static_cast<unsigned>(random() % (2 * geometry_of(c).capacity) / 4 + 1);
        if (random() % 2 == 0) {
            const objects more = take_all(c, n);
            live[k].insert(live[k].end(), more.begin(), more.end());
        } else {
            std::shuffle(live[k].begin(), live[k].end(), random);
            const auto begin = live[k].end() - std::min<ptrdiff_t>(n, std::ssize(live[k]));
            give_all(c, {begin, live[k].end()});
            live[k].erase(begin, live[k].end());
        }
        const class_counts now = slabs.counts(c);
        ASSERT_EQ(now.objects - now.free_objects, live[k].size());
    }
}

TEST_F(slab_objects, are_as_many_as_the_memory_holds_when_there_is_no_more) {
    const size_class c = class_of(1024);
    const unsigned capacity = geometry_of(c).capacity;
    objects all = take_all(c, capacity / 2);
    for (const system_call which : {system_call::commit, system_call::reserve, system_call::map}) {
        fake.refuse(system_call::commit); // no block beyond the first
        fake.refuse(which);
        const size_t records_before = records.mapped_bytes();
        for (;;) {
            const objects more = take_up_to(c, capacity);
            all.insert(all.end(), more.begin(), more.end());
            if (more.size() < capacity)
                break;
        }
        EXPECT_TRUE(take_up_to(c, 1).empty());
        EXPECT_EQ(slabs.counts(c).free_objects, 0u);
        EXPECT_EQ(slabs.counts(c).objects, all.size());
        EXPECT_EQ(records.mapped_bytes(), records_before) << "failures use nothing up";
        fake.refuse(which, false);
    }
    fake.refuse(system_call::commit, false);
    const objects more = take_all(c, 10 * capacity);
    give_all(c, more);
    give_all(c, all);
    slabs.release_empty();
    expect_true_counters(0);
}

TEST_F(slab_objects, are_not_lost_by_any_one_refusal) {
    const size_class c = class_of(5000);
    bool refused = true;
    for (unsigned n = 1; refused; ++n) {
        fake.refuse_nth(n);
        const objects some = take_up_to(c, 3000);
        refused = fake.refused_nth();
        fake.refuse_nth(0);
        ASSERT_EQ(slabs.counts(c).objects - slabs.counts(c).free_objects, some.size());
        give_all(c, some);
        slabs.release_empty();
        expect_true_counters(0);
        static_cast<void>(pages.surrender());
        ASSERT_LT(n, 1000u);
    }
}

} // namespace
} // namespace lowtide::test
