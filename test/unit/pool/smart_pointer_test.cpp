// Smart pointers of regions.
#include "lowtide/smart_pointer.hpp"

#include "pool/smart_pointer_requirements.h"

#include <cstddef>
#include <gtest/gtest.h>

namespace lowtide::test {
namespace {

class region_pointers {
public:
    region& one() { return one_; }
    std::size_t used_of_one() const {
        const region_statistics s = one_.stats();
        return s.held - s.free;
    }
    // The rest goes with the region.
    bool nothing_is_left() const { return one_.stats().blocks == 0; }

private:
    region one_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(region, smart_pointer_requirements, region_pointers);

TEST(region_pointer, is_as_large_as_a_pointer) {
    region r;
    auto p = lowtide::make_unique<counted>(r);
    static_assert(sizeof(p) == sizeof(counted*));
}

TEST(region_pointer, at_the_limit_is_bad_alloc) {
    region r({.limit = 4096});
    struct large {
        char bytes[8192];
    };
    EXPECT_THROW(static_cast<void>(lowtide::make_unique<large>(r)), std::bad_alloc);
    EXPECT_THROW(static_cast<void>(lowtide::allocate_shared<large>(r)), std::bad_alloc);
}

} // namespace
} // namespace lowtide::test
