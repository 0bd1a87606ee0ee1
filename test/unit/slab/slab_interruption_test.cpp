// A thread in the middle of a size class: a signal handler that comes there, a child that is made there.
#include "support/child.h"
#include "support/slab_tier_test.h"
#include "support/stuck_thread.h"

namespace lowtide::test {
namespace {

class slab_interruptions : public slab_tier_test {
protected:
    // In a child: the class works, has lost at most what the dead thread held, and still knows wrong frees.
    void expect_repaired(const objects& held, unsigned lost) {
        const class_counts before = slabs.counts(c);
        EXPECT_LE(before.objects - before.free_objects, held.size() + lost);
        EXPECT_GE(before.objects - before.free_objects, held.size());
        const objects more = take_all(c, 3 * geometry_of(c).capacity);
        for (void* p : more)
            EXPECT_EQ(std::count(held.begin(), held.end(), p), 0) << "still in use";
        give_all(c, more);
        EXPECT_EQ(give_one(c, held.front()), free_error::none);
        EXPECT_EQ(give_one(c, held.front()), free_error::double_free);
        give_all(c, {held.begin() + 1, held.end()});
        const class_counts after = slabs.counts(c);
        EXPECT_LE(after.objects - after.free_objects, lost);
        slabs.release_empty();
        EXPECT_LE(slabs.counts(c).slabs, 1u);
    }

    const size_class c = class_of(1024);
};

TEST_F(slab_interruptions, a_child_repairs_a_class_where_a_thread_was_taking) {
    objects held = fill_slab(c);
    const objects returned(held.end() - 5, held.end());
    held.erase(held.end() - 5, held.end());
    give_all(c, returned);
    const stuck_thread other(
        [&](uintptr_t trap) { EXPECT_EQ(slabs.take(c, reinterpret_cast<void**>(trap) + 1, 3), 3u); });
    in_child([&] { expect_repaired(held, 3); });
}

TEST_F(slab_interruptions, a_child_repairs_a_class_where_a_thread_was_giving) {
    objects held = take_all(c, 3 * geometry_of(c).capacity);
    std::shuffle(held.begin(), held.end(), std::mt19937(1));
    const objects given(held.end() - 4, held.end());
    held.erase(held.end() - 4, held.end());
    const stuck_thread other([&](uintptr_t trap) {
        // Two in memory, the others behind the border.
        auto** list = reinterpret_cast<void**>(trap) - 2;
        std::copy(given.begin(), given.begin() + 2, list);
        static_cast<void>(slabs.give(c, list, 4));
    });
    in_child([&] { expect_repaired(held, 2); });
    // What the thread reads when it goes on are zeros: a wrong free, and the first two are back.
}

TEST_F(slab_interruptions, a_signal_handler_finds_its_class_closed_and_the_others_open) {
    const objects held = take_all(c, 4);
    const size_class another = class_of(2048);
    bool came = false;
    {
        const stuck_thread other(
            [&](uintptr_t trap) { EXPECT_EQ(slabs.take(c, reinterpret_cast<void**>(trap) + 1, 1), 1u); },
            [&] {
                came = true;
                void* some[3];
                EXPECT_EQ(slabs.take(c, some + 3, 3), 0u);
                EXPECT_FALSE(slabs.give(c, held.data(), 4).done);
                EXPECT_EQ(slabs.counts(c).slabs, 0u);
                EXPECT_EQ(slabs.take(another, some + 3, 3), 3u);
                EXPECT_TRUE(slabs.give(another, some, 3).done);
            });
    }
    EXPECT_TRUE(came);
    const class_counts n = slabs.counts(c);
    EXPECT_EQ(n.objects - n.free_objects, 5u) << "nothing happened but what the thread itself did";
    give_all(c, held);
}

} // namespace
} // namespace lowtide::test
