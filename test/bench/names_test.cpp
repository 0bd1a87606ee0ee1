// Patterns for workloads, and suggestions for those that match nothing.
#include "runner/names.h"

#include <gtest/gtest.h>

namespace lowtide::bench {
namespace {

TEST(patterns, are_names_groups_first_parts_or_have_wildcards) {
    EXPECT_TRUE(matches("bulk/lifo/64", "bulk/lifo/64", "bulk"));
    EXPECT_TRUE(matches("bulk", "bulk/lifo/64", "bulk"));
    EXPECT_TRUE(matches("bulk/lifo", "bulk/lifo/64", "bulk"));
    EXPECT_TRUE(matches("*/64", "bulk/lifo/64", "bulk"));
    EXPECT_TRUE(matches("programs", "redis/set", "programs"));
    EXPECT_FALSE(matches("bulk/li", "bulk/lifo/64", "bulk"));
    EXPECT_FALSE(matches("64", "bulk/lifo/64", "bulk"));
}

TEST(nearest, puts_what_contains_the_word_first_and_then_what_few_letters_change) {
    const std::vector<std::string> names{"pair/64", "larson/8", "ring/64", "sharing/active"};
    EXPECT_EQ(nearest("larsen/8", names).front(), "larson/8");
    EXPECT_EQ(nearest("ring", names).front(), "ring/64");
    EXPECT_TRUE(nearest("completely-else", names).empty());
}

} // namespace
} // namespace lowtide::bench
