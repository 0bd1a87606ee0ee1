// Pages of free objects in partly used slabs: which go back, and what becomes of the objects.
#include "support/slab_tier_test.h"

#include "os/vm.h"

#include <map>
#include <set>

namespace lowtide::test {
namespace {

class page_holes : public slab_tier_test {
protected:
    size_t give_back(unsigned rest = 0) { return slabs.give_holes_back(rest, left); }

    static void write(void* p, size_t size) {
        memset(p, static_cast<int>(reinterpret_cast<uintptr_t>(p) >> 4 | 1), size);
    }
    static bool is_written(const void* p, size_t size) {
        const auto value = static_cast<unsigned char>(reinterpret_cast<uintptr_t>(p) >> 4 | 1);
        const auto* bytes = static_cast<const unsigned char*>(p);
        return std::all_of(bytes, bytes + size, [value](unsigned char b) { return b == value; });
    }
    // Keeps one object of so many, chosen at random; what is kept.
    objects keep_one_in(unsigned share, size_class c, const objects& all) {
        std::mt19937 random(share);
        objects kept;
        objects freed;
        for (void* p : all)
            (random() % share == 0 ? kept : freed).push_back(p);
        std::shuffle(freed.begin(), freed.end(), random);
        give_all(c, freed);
        return kept;
    }
    // What is in memory of the slabs that these objects are of, the tails left out.
    size_t resident_bytes(size_class c, const objects& kept) {
        std::set<span*> all;
        for (const void* p : kept)
            all.insert(slab_of(p));
        size_t bytes = 0;
        for (const span* s : all)
            bytes += fake_pages::resident_bytes(s->base, s->capacity * object_size(c));
        return bytes;
    }
    // What is the least that can be: the pages that these objects lie on.
    static size_t least_bytes(size_class c, const objects& kept) {
        std::set<uintptr_t> touched;
        for (const void* p : kept) {
            const auto at = reinterpret_cast<uintptr_t>(p);
            for (uintptr_t page = align_down(at, os::page_size()); page < at + object_size(c);
                 page += os::page_size())
                touched.insert(page);
        }
        return touched.size() * os::page_size();
    }

    bool left = false;
};

TEST_F(page_holes, of_every_class_go_back_and_what_is_in_use_stays) {
    for (unsigned i = 1; i <= slab_classes; ++i) {
        const size_class c{static_cast<uint8_t>(i)};
        SCOPED_TRACE(object_size(c));
        const objects all = take_all(c, 4 * geometry_of(c).capacity);
        for (void* p : all)
            write(p, object_size(c));
        const objects kept = keep_one_in(64, c, all);
        const size_t before = resident_bytes(c, kept);
        const size_t least = least_bytes(c, kept);
        const size_t bytes = give_back();
        EXPECT_EQ(resident_bytes(c, kept), least);
        EXPECT_EQ(bytes, before - least);
        EXPECT_EQ(slabs.counts(c).hole_bytes, bytes);
        for (const void* p : kept)
            ASSERT_TRUE(is_written(p, object_size(c)));
        EXPECT_FALSE(left);
        EXPECT_EQ(give_back(), 0u) << "there is nothing new";
        give_all(c, kept);
        give_back();
        EXPECT_EQ(slabs.counts(c).slabs, 0u) << "what is wholly free goes a tier down";
        EXPECT_EQ(slabs.counts(c).hole_bytes, 0u);
    }
}

TEST_F(page_holes, wait_for_slabs_to_rest) {
    const size_class c = class_of(256);
    const objects all = take_all(c, geometry_of(c).capacity);
    const objects kept = keep_one_in(64, c, all);
    EXPECT_EQ(give_back(2), 0u);
    EXPECT_TRUE(left);
    EXPECT_EQ(give_one(c, kept.front()), free_error::none);
    EXPECT_EQ(give_back(2), 0u) << "an object has come in between";
    EXPECT_TRUE(left);
    EXPECT_GT(give_back(2), 0u);
    EXPECT_FALSE(left);
}

TEST_F(page_holes, are_used_again_last) {
    for (const size_t size :
         {size_t{16}, size_t{48}, size_t{256}, size_t{1024}, size_t{5000}, size_t{40'000}}) {
        SCOPED_TRACE(size);
        const size_class c = class_of(size);
        objects all = fill_slab(c);
        std::sort(all.begin(), all.end());
        // The first half is free throughout, of the other half every second object.
        objects freed;
        for (size_t i = 0; i < all.size(); ++i)
            if (i < all.size() / 2 || i % 2 == 0)
                freed.push_back(all[i]);
        give_all(c, freed);
        const size_t holes = give_back();
        ASSERT_EQ(slabs.counts(c).hole_bytes, holes);
        ASSERT_GT(holes, 0u);
        // First come the objects whose pages are all there.
        size_t resident = 0;
        const span* s = slab_of(all.front());
        for (const void* p : freed) {
            const auto at = reinterpret_cast<uintptr_t>(p) - s->base;
            const auto page = static_cast<unsigned>(at / os::page_size());
            const auto last = static_cast<unsigned>((at + object_size(c) - 1) / os::page_size());
            bool whole = true;
            for (unsigned i = page; i <= last; ++i)
                whole = whole && (s->holes >> i & 1) == 0;
            resident += whole ? 1 : 0;
        }
        objects again;
        for (size_t i = 0; i < freed.size(); ++i) {
            again.push_back(take_all(c, 1).front());
            if (i + 1 == resident) {
                EXPECT_EQ(slabs.counts(c).hole_bytes, holes) << "no page has been needed yet";
            }
        }
        EXPECT_EQ(slabs.counts(c).hole_bytes, 0u);
        std::sort(again.begin(), again.end());
        EXPECT_EQ(again, freed);
        give_all(c, all);
        slabs.release_empty();
    }
}

TEST_F(page_holes, that_the_system_refuses_are_tried_again_later) {
    const size_class c = class_of(64);
    const objects kept = keep_one_in(300, c, take_all(c, 2 * geometry_of(c).capacity));
    fake.refuse(system_call::purge);
    EXPECT_EQ(give_back(), 0u);
    EXPECT_TRUE(left);
    EXPECT_EQ(slabs.counts(c).hole_bytes, 0u);
    const size_t asked = fake.count(system_call::purge);
    EXPECT_EQ(give_back(), 0u);
    EXPECT_EQ(fake.count(system_call::purge), asked) << "not at once";
    fake.refuse(system_call::purge, false);
    fake.advance(2000);
    EXPECT_GT(give_back(), 0u);
    EXPECT_FALSE(left);
}

TEST_F(page_holes, in_a_huge_page_are_left_while_they_are_few) {
    const size_class c = class_of(1024);
    fake.refuse(system_call::fill, false);
    settings.huge_pages = true;
    const uintptr_t much = take(10 * slices_per_block); // beyond what a small process has
    static_cast<void>(much);
    objects all = take_all(c, 8 * block_size / 1024);
    ASSERT_GT(fake.huge_blocks(), 0u);
    const auto is_huge = [&](const void* p) { return pages.in_huge_page(reinterpret_cast<uintptr_t>(p)); };
    const auto first = std::find_if(all.begin(), all.end(), is_huge);
    ASSERT_NE(first, all.end());
    const span* s = slab_of(*first);
    objects of_slab;
    for (void* p : all)
        if (slab_of(p) == s)
            of_slab.push_back(p);
    ASSERT_EQ(of_slab.size(), s->capacity);
    std::sort(of_slab.begin(), of_slab.end());
    give_back();
    give_all(c, {of_slab.begin(), of_slab.begin() + 12}); // 3 pages of 16
    EXPECT_EQ(give_back(), 0u);
    EXPECT_TRUE(is_huge(*first));
    give_all(c, {of_slab.begin() + 12, of_slab.begin() + 16});
    EXPECT_EQ(give_back(), 4 * os::page_size());
    EXPECT_FALSE(is_huge(*first)) << "the kernel must not make one of the rest again";
}

TEST_F(page_holes, are_counted_exactly_in_random_use) {
    std::mt19937 random(7);
    const size_class classes[] = {class_of(16), class_of(100), class_of(1500), class_of(30'000)};
    std::map<size_class, objects> live;
    for (int round = 0; round < 600; ++round) {
        const size_class c = classes[random() % 4];
        objects& mine = live[c];
        const auto count = static_cast<unsigned>(random() % (2 * geometry_of(c).capacity) + 1);
        if (random() % 2 == 0) {
            for (void* p : take_all(c, count)) {
                write(p, object_size(c));
                mine.push_back(p);
            }
        } else {
            std::shuffle(mine.begin(), mine.end(), random);
            const size_t given = std::min<size_t>(count, mine.size());
            give_all(c, {mine.end() - static_cast<long>(given), mine.end()});
            mine.resize(mine.size() - given);
        }
        if (random() % 4 == 0)
            give_back(static_cast<unsigned>(random() % 3));
        for (const size_class each : classes) {
            std::set<const span*> all;
            for (const void* p : live[each])
                all.insert(slab_of(p));
            size_t holes = 0;
            for (const span* s : all) {
                holes += count_bits_of(s->holes) * os::page_size();
                for (unsigned page = 0; page < s->length.bytes() / os::page_size(); ++page)
                    if ((s->holes >> page & 1) != 0) {
                        ASSERT_EQ(fake_pages::resident_bytes(s->base + page * os::page_size(), 1), 0u);
                    }
            }
            ASSERT_GE(slabs.counts(each).hole_bytes, holes); // wholly free slabs may have some too
        }
    }
    for (const size_class c : classes) {
        for (const void* p : live[c])
            ASSERT_TRUE(is_written(p, object_size(c)));
        give_all(c, live[c]);
    }
    give_back();
    for (const size_class c : classes) {
        EXPECT_EQ(slabs.counts(c).slabs, 0u);
        EXPECT_EQ(slabs.counts(c).hole_bytes, 0u);
    }
}

} // namespace
} // namespace lowtide::test
