// Pointers that are not objects in use: each is recognised as what it is, and nothing else suffers.
#include "support/slab_tier_test.h"

namespace lowtide::test {
namespace {

class wrong_gives : public slab_tier_test {};

TEST_F(wrong_gives, of_every_object_of_every_class_are_told_apart) {
    for (unsigned i = 1; i <= slab_classes; ++i) {
        const size_class c{static_cast<uint8_t>(i)};
        const objects all = fill_slab(c);
        for (void* p : all) {
            const auto at = static_cast<char*>(p);
            for (const size_t offset : {size_t{1}, size_t{8}, object_size(c) / 2, object_size(c) - 1})
                ASSERT_EQ(give_one(c, at + offset), free_error::interior) << object_size(c) << " " << offset;
            ASSERT_EQ(slabs.examine(*slab_of(p), p), free_error::none);
        }
        // The tail that no object fits into.
        const span* s = slab_of(all.front());
        for (size_t at = size_t{s->capacity} * s->object_size; at < s->length.bytes(); at += 16)
            ASSERT_EQ(give_one(c, reinterpret_cast<void*>(s->base + at)), free_error::interior);
        EXPECT_EQ(slabs.counts(c).free_objects, 0u);
        give_all(c, all);
        for (void* p : all)
            ASSERT_EQ(give_one(c, p), free_error::double_free);
        EXPECT_EQ(slabs.counts(c).free_objects, geometry_of(c).capacity);
    }
}

TEST_F(wrong_gives, of_other_peoples_memory_are_foreign) {
    const size_class c = class_of(64);
    static_cast<void>(take_all(c, 1));
    int local = 0;
    for (void* p : {static_cast<void*>(&local), static_cast<void*>(this), reinterpret_cast<void*>(16),
                    reinterpret_cast<void*>(UINTPTR_MAX), reinterpret_cast<void*>(uintptr_t{1} << 63)})
        EXPECT_EQ(give_one(c, p), free_error::foreign);
}

TEST_F(wrong_gives, of_another_class_are_no_start_of_a_block) {
    const objects small = take_all(class_of(64), 2);
    EXPECT_EQ(give_one(class_of(128), small[0]), free_error::interior);
    EXPECT_EQ(slabs.counts(class_of(64)).free_objects, geometry_of(class_of(64)).capacity - 2);
    give_all(class_of(64), small);
}

TEST_F(wrong_gives, are_found_in_the_middle_of_a_batch) {
    const size_class c = class_of(256);
    const objects all = take_all(c, 10);
    objects batch = {all[0], all[1], all[2], all[1], all[3]};
    const give_result result = slabs.give(c, batch.data(), 5);
    EXPECT_EQ(result.error, free_error::double_free);
    EXPECT_EQ(result.culprit, all[1]);
    EXPECT_EQ(slabs.examine(*slab_of(all[2]), all[2]), free_error::double_free) << "what came before is back";
    EXPECT_EQ(slabs.examine(*slab_of(all[3]), all[3]), free_error::none) << "what came after is not";
}

// Also where the handler of wrong frees lets the program live.
TEST_F(wrong_gives, leave_a_full_slab_with_its_returned_objects_usable) {
    const size_class c = class_of(1024);
    const objects first = fill_slab(c);
    const objects second = fill_slab(c);
    objects batch = {first[0], first[1], first[0]};
    EXPECT_EQ(slabs.give(c, batch.data(), 3).error, free_error::double_free);
    EXPECT_EQ(slabs.counts(c).free_objects, 2u);
    const objects again = take_all(c, 2);
    EXPECT_EQ(slab_of(again[0]), slab_of(first[0]));
    EXPECT_EQ(slabs.counts(c).slabs, 2u);
}

TEST_F(wrong_gives, are_examined_without_a_change) {
    const size_class c = class_of(96);
    void* p = take_all(c, 1).front();
    const span& s = *slab_of(p);
    const size_t free = slabs.counts(c).free_objects;
    EXPECT_EQ(slabs.examine(s, p), free_error::none);
    EXPECT_EQ(slabs.examine(s, static_cast<char*>(p) + 16), free_error::interior);
    EXPECT_EQ(slabs.examine(s, static_cast<char*>(p) + 96), free_error::double_free) << "never handed out";
    EXPECT_EQ(slabs.counts(c).free_objects, free);
    give_all(c, {p});
}

} // namespace
} // namespace lowtide::test
