// What smart pointers of regions and heaps have in common, as tests for both: see allocator_requirements.h,
// whose types a source file instantiates these with. They also have source_type& one().
#pragma once

#include "lowtide/smart_pointer.hpp"

#include "pool/allocator_requirements.h"

#include <concepts>
#include <cstdint>
#include <gtest/gtest.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace lowtide::test {

struct refuses_to_be {
    explicit refuses_to_be(int) { throw std::runtime_error("not made"); }
    counted member;
    char weight[1 << 20];
};

struct base {
    explicit base(int v) : member(v) {}
    virtual ~base() = default;
    counted member;
};
struct other_base {
    virtual ~other_base() = default;
    counted other_member;
};
struct derived final : other_base, base {
    explicit derived(int v) : base(v) {}
};

template <class Sources>
class smart_pointer_requirements : public testing::Test {
protected:
    ~smart_pointer_requirements() override {
        EXPECT_TRUE(sources.nothing_is_left());
        EXPECT_EQ(counted::alive, 0);
    }
    Sources sources;
};

TYPED_TEST_SUITE_P(smart_pointer_requirements);

TYPED_TEST_P(smart_pointer_requirements, unique_ones_destroy_their_object) {
    auto p = lowtide::make_unique<counted>(this->sources.one(), 7);
    EXPECT_EQ(p->value, 7);
    EXPECT_EQ(counted::alive, 1);
    auto q = std::move(p);
    EXPECT_EQ(counted::alive, 1);
    q.reset();
    EXPECT_EQ(counted::alive, 0);
    const auto constant = lowtide::make_unique<const counted>(this->sources.one(), 8);
    EXPECT_EQ(constant->value, 8);
    auto none = decltype(p)(); // of no source
    none = lowtide::make_unique<counted>(this->sources.one(), 9);
    EXPECT_EQ(none->value, 9);
    std::unique_ptr<const counted, typename std::remove_const_t<decltype(constant)>::deleter_type> view =
        std::move(none);
    EXPECT_EQ(view->value, 9);
}

TYPED_TEST_P(smart_pointer_requirements, unique_ones_are_aligned) {
    auto p = lowtide::make_unique<aligned_value<4096>>(this->sources.one());
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(p.get()) % 4096, 0U);
}

TYPED_TEST_P(smart_pointer_requirements, an_object_that_is_not_made_leaves_nothing) {
    EXPECT_THROW(static_cast<void>(lowtide::make_unique<refuses_to_be>(this->sources.one(), 1)),
                 std::runtime_error);
    EXPECT_THROW(static_cast<void>(lowtide::allocate_shared<refuses_to_be>(this->sources.one(), 1)),
                 std::runtime_error);
    EXPECT_EQ(counted::alive, 0);
    EXPECT_TRUE(this->sources.nothing_is_left());
}

TYPED_TEST_P(smart_pointer_requirements, unique_ones_become_those_of_a_base_with_a_virtual_destructor) {
    auto p = lowtide::make_unique<derived>(this->sources.one(), 7);
    using of_base = decltype(lowtide::make_unique<base>(this->sources.one(), 1));
    of_base q = std::move(p); // not at the object's beginning
    EXPECT_EQ(q->member.value, 7);
    EXPECT_EQ(counted::alive, 2);
    q.reset();
    EXPECT_EQ(counted::alive, 0);
    // An int's owner is no double's, and a base without a virtual destructor owns nothing.
    using of_counted = decltype(lowtide::make_unique<counted>(this->sources.one(), 1));
    static_assert(!std::is_constructible_v<of_counted, of_base&&>);
    struct heir : counted {};
    using of_heir = decltype(lowtide::make_unique<heir>(this->sources.one()));
    static_assert(!std::is_constructible_v<of_counted, of_heir&&>);
}

TYPED_TEST_P(smart_pointer_requirements, shared_ones_destroy_with_the_last) {
    const std::size_t before = this->sources.used_of_one();
    std::shared_ptr<counted> p = lowtide::allocate_shared<counted>(this->sources.one(), 7);
    EXPECT_GT(this->sources.used_of_one(), before);
    const std::weak_ptr<counted> weak = p;
    std::shared_ptr<counted> q = p;
    p.reset();
    EXPECT_EQ(weak.lock()->value, 7);
    q.reset();
    EXPECT_TRUE(weak.expired());
    EXPECT_EQ(counted::alive, 0);
    const std::shared_ptr<base> of_base = lowtide::allocate_shared<derived>(this->sources.one(), 5);
    EXPECT_EQ(of_base->member.value, 5);
}

TYPED_TEST_P(smart_pointer_requirements, shared_arrays_work) {
    const std::shared_ptr<counted[]> p = lowtide::allocate_shared<counted[]>(this->sources.one(), 10);
    EXPECT_EQ(counted::alive, 10);
}

REGISTER_TYPED_TEST_SUITE_P(smart_pointer_requirements, unique_ones_destroy_their_object,
                            unique_ones_are_aligned, an_object_that_is_not_made_leaves_nothing,
                            unique_ones_become_those_of_a_base_with_a_virtual_destructor,
                            shared_ones_destroy_with_the_last, shared_arrays_work);

} // namespace lowtide::test
