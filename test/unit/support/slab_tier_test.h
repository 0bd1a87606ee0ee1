// A slab tier on fake pages.
#pragma once

#include "slab/slab_tier.h"
#include "support/page_tier_test.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

namespace lowtide::test {

using objects = std::vector<void*>;

class slab_tier_test : public page_tier_test {
protected:
    // As the tier stores them: the one to be handed out first is the last.
    objects take_up_to(size_class c, unsigned wanted) {
        objects taken(wanted);
        const unsigned got = slabs.take(c, taken.data() + wanted, wanted);
        taken.erase(taken.begin(), taken.begin() + (wanted - got));
        return taken;
    }
    objects take_all(size_class c, unsigned wanted) {
        const objects taken = take_up_to(c, wanted);
        EXPECT_EQ(taken.size(), wanted);
        return taken;
    }
    void give_all(size_class c, const objects& given) {
        const give_result result = slabs.give(c, given.data(), static_cast<unsigned>(given.size()));
        EXPECT_EQ(result.error, free_error::none);
        EXPECT_TRUE(result.done);
    }
    free_error give_one(size_class c, void* p) { return slabs.give(c, &p, 1).error; }
    // A slab's worth, all of one slab.
    objects fill_slab(size_class c) { return take_all(c, geometry_of(c).capacity); }
    span* slab_of(const void* p) { return map->find(reinterpret_cast<uintptr_t>(p)); }

    static size_class class_of(size_t size) { return class_holding(size); }

    slab_shards shards;
    slab_tier slabs{&shards, &pages, map.get(), &records};
};

} // namespace lowtide::test
