// Memory resources over regions: what the standard asks, and what a region's limits do.
#include "lowtide/memory_resource.hpp"

#include "pool/memory_resource_requirements.h"

#include <cerrno>
#include <cstddef>
#include <gtest/gtest.h>
#include <memory_resource>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace lowtide::test {
namespace {

class plain_region_resources {
public:
    std::pmr::memory_resource& one() { return one_; }
    std::pmr::memory_resource& same_as_one() { return same_; }
    std::pmr::memory_resource& other() { return other_; }
    std::size_t most_bytes = 1 << 20;
    std::size_t most_alignment = LOWTIDE_REGION_MAX_ALIGNMENT;
    bool nothing_is_left() const { return region_.stats().blocks == 0 && other_region_.stats().blocks == 0; }

    plain_region_resources() : plain_region_resources(region_options{}) {}

protected:
    explicit plain_region_resources(const region_options& options) : region_(options) {}

private:
    region region_;
    region other_region_;
    region_resource one_{region_};
    region_resource same_{region_.get()};
    region_resource other_{other_region_};
};

struct guarded_region_resources : plain_region_resources {
    guarded_region_resources() : plain_region_resources({.guarded = true}) {}
};

using all_region_resources = testing::Types<plain_region_resources, guarded_region_resources>;
INSTANTIATE_TYPED_TEST_SUITE_P(region, memory_resource_requirements, all_region_resources);

TEST(region_resource, is_known_by_the_c_name_so_the_region_object_may_move) {
    region second;
    region first;
    region_resource memory(first);
    std::pmr::vector<int> v({1, 2, 3}, &memory);
    second = std::move(first);
    v.resize(10000);
    EXPECT_EQ(memory.handle(), second.get());
    EXPECT_TRUE(memory.is_equal(region_resource(second)));
}

TEST(region_resource, gives_back_blocks_of_their_own) {
    region r;
    region_resource memory(r);
    void* large = memory.allocate(1 << 20);
    void* aligned = memory.allocate(16, 1 << 20);
    EXPECT_EQ(r.stats().blocks, 2U);
    memory.deallocate(large, 1 << 20);
    memory.deallocate(aligned, 16, 1 << 20);
    EXPECT_EQ(r.stats().blocks, 0U);
}

TEST(region_resource, an_alignment_above_a_mebibyte_is_bad_alloc) {
    region r;
    region_resource memory(r);
    const std::size_t before = r.stats().held;
    EXPECT_THROW(static_cast<void>(memory.allocate(16, 2 << 20)), std::bad_alloc);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_EQ(r.stats().held, before);
}

TEST(region_resource, the_regions_limit_is_bad_alloc_and_the_container_as_it_was) {
    region r({.limit = 64 * 1024});
    region_resource memory(r);
    std::pmr::vector<std::pmr::string> lines(&memory);
    try {
        for (;;)
            lines.emplace_back("a line that is too long to be kept in the string itself");
    } catch (const std::bad_alloc&) {
        EXPECT_EQ(errno, EDQUOT);
    }
    EXPECT_GT(lines.size(), 100U);
    for (const auto& line : lines)
        EXPECT_EQ(line, "a line that is too long to be kept in the string itself");
    EXPECT_GT(r.stats().refused, 0U);
}

TEST(region_resource, serves_objects_made_by_new_object) {
    region r;
    region_resource memory(r);
    std::pmr::polymorphic_allocator<> a(&memory);
    auto* text = a.new_object<std::pmr::string>("a text that is too long to be kept in the string itself");
    EXPECT_EQ(text->get_allocator().resource(), &memory);
    a.delete_object(text);
}

} // namespace
} // namespace lowtide::test
