// What C++20 asks of an allocator ([allocator.requirements]), and what containers do with one, as tests for
// any allocator: a source file instantiates them with a type that has
//
//     template <class T> using allocator;
//     template <class T> allocator<T> of_one(), of_other();  // of two sources
//     std::size_t used_of_one(), used_of_other();            // bytes handed out at this moment
//     bool nothing_is_left();                                // has all been given back, as far as it can be?
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <forward_list>
#include <gtest/gtest.h>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <new>
#include <scoped_allocator>
#include <set>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace lowtide::test {

// ---- values

template <std::size_t Alignment>
struct alignas(Alignment) aligned_value {
    int value = 0;
};

// An element that counts how many of it there are, and can fail to be copied.
struct counted {
    static inline int alive = 0;
    static inline int copies_left = std::numeric_limits<int>::max();

    counted(int v = 0) : value(v) { ++alive; }
    counted(const counted& other) : value(other.value) {
        if (copies_left-- <= 0)
            throw std::runtime_error("no copy left");
        ++alive;
    }
    counted(counted&& other) noexcept : value(std::exchange(other.value, -1)) { ++alive; }
    counted& operator=(const counted&) = default;
    counted& operator=(counted&&) = default;
    ~counted() { --alive; }
    friend bool operator==(const counted&, const counted&) = default;
    friend auto operator<=>(const counted&, const counted&) = default;

    int value;
    char weight[40]{};
};

struct hash_of_counted {
    std::size_t operator()(const counted& c) const noexcept { return static_cast<std::size_t>(c.value); }
};

// ---- containers: all that differ in how they use an allocator

template <class Sources>
struct containers {
    template <class T>
    using allocator = typename Sources::template allocator<T>;
    using pair = std::pair<const counted, counted>;

    using vector = std::vector<counted, allocator<counted>>;
    using bits = std::vector<bool, allocator<bool>>;
    using deque = std::deque<counted, allocator<counted>>;
    using list = std::list<counted, allocator<counted>>;
    using forward_list = std::forward_list<counted, allocator<counted>>;
    using string = std::basic_string<char, std::char_traits<char>, allocator<char>>;
    using set = std::set<counted, std::less<>, allocator<counted>>;
    using multimap = std::multimap<counted, counted, std::less<>, allocator<pair>>;
    using map = std::map<counted, counted, std::less<>, allocator<pair>>;
    using unordered_map =
        std::unordered_map<counted, counted, hash_of_counted, std::equal_to<>, allocator<pair>>;
};

template <class Container>
void add(Container& to, int value) {
    using element = typename Container::value_type;
    if constexpr (requires { typename Container::mapped_type; })
        to.emplace(value, value);
    else if constexpr (std::is_arithmetic_v<element>)
        to.push_back(static_cast<element>(value % 2 != 0 ? 'b' : '\0'));
    else if constexpr (requires { to.push_back(element(value)); })
        to.push_back(element(value));
    else if constexpr (requires { to.push_front(element(value)); })
        to.push_front(element(value));
    else
        to.insert(element(value));
}

template <class Container>
void add_some(Container& to, int from, int count) {
    for (int i = from; i < from + count; ++i)
        add(to, i);
}

// The same elements in a vector of std::allocator's, to compare with.
template <class Container>
auto elements_of(const Container& container) {
    if constexpr (requires { typename Container::hasher; }) {
        std::vector<std::pair<int, int>> all;
        for (const auto& [key, value] : container)
            all.emplace_back(key.value, value.value);
        std::ranges::sort(all);
        return all;
    } else {
        return std::vector<std::remove_cvref_t<decltype(*container.begin())>>(container.begin(),
                                                                              container.end());
    }
}

// Null where elements have no address.
template <class Container>
const void* address_of_first(const Container& container) {
    if constexpr (std::is_reference_v<decltype(*container.begin())>)
        return std::addressof(*container.begin());
    else
        return nullptr;
}

template <class Sources>
class allocator_requirements : public testing::Test {
protected:
    ~allocator_requirements() override {
        EXPECT_TRUE(sources.nothing_is_left());
        EXPECT_EQ(counted::alive, 0);
    }
    // Calls body.template operator()<Container>() for every kind of container.
    template <class Body>
    static void for_each_container(Body body) {
        using all = containers<Sources>;
        {
            SCOPED_TRACE("vector");
            body.template operator()<typename all::vector>();
        }
        {
            SCOPED_TRACE("vector<bool>");
            body.template operator()<typename all::bits>();
        }
        {
            SCOPED_TRACE("deque");
            body.template operator()<typename all::deque>();
        }
        {
            SCOPED_TRACE("list");
            body.template operator()<typename all::list>();
        }
        {
            SCOPED_TRACE("forward_list");
            body.template operator()<typename all::forward_list>();
        }
        {
            SCOPED_TRACE("string");
            body.template operator()<typename all::string>();
        }
        {
            SCOPED_TRACE("set");
            body.template operator()<typename all::set>();
        }
        {
            SCOPED_TRACE("map");
            body.template operator()<typename all::map>();
        }
        {
            SCOPED_TRACE("multimap");
            body.template operator()<typename all::multimap>();
        }
        {
            SCOPED_TRACE("unordered_map");
            body.template operator()<typename all::unordered_map>();
        }
    }
    template <class Container>
    Container in_one(int count) {
        Container c(sources.template of_one<typename Container::value_type>());
        add_some(c, 0, count);
        return c;
    }
    template <class Container>
    Container in_other(int count) {
        Container c(sources.template of_other<typename Container::value_type>());
        add_some(c, 1000, count);
        return c;
    }
    template <class Container>
    bool is_in_one(const Container& c) {
        return c.get_allocator() == sources.template of_one<typename Container::value_type>();
    }

    Sources sources;
};

TYPED_TEST_SUITE_P(allocator_requirements);

// ---- [allocator.requirements]

TYPED_TEST_P(allocator_requirements, types_are_those_of_the_standard) {
    using A = typename TypeParam::template allocator<int>;
    using B = typename TypeParam::template allocator<std::string>;
    using traits = std::allocator_traits<A>;
    static_assert(std::same_as<typename traits::value_type, int>);
    static_assert(std::same_as<typename traits::pointer, int*>);
    static_assert(std::same_as<typename traits::const_pointer, const int*>);
    static_assert(std::same_as<typename traits::void_pointer, void*>);
    static_assert(std::same_as<typename traits::const_void_pointer, const void*>);
    static_assert(std::same_as<typename traits::size_type, std::size_t>);
    static_assert(std::same_as<typename traits::difference_type, std::ptrdiff_t>);
    static_assert(std::same_as<typename traits::template rebind_alloc<std::string>, B>);
    static_assert(std::same_as<typename std::allocator_traits<B>::template rebind_alloc<int>, A>);
    static_assert(std::same_as<typename A::template rebind<std::string>::other, B>);
    static_assert(!traits::is_always_equal::value);
    static_assert(!traits::propagate_on_container_copy_assignment::value);
    static_assert(!traits::propagate_on_container_move_assignment::value);
    static_assert(traits::propagate_on_container_swap::value);
    // Copying, moving, comparing and giving back don't throw; what propagates on swap is swappable.
    static_assert(std::is_nothrow_copy_constructible_v<A> && std::is_nothrow_move_constructible_v<A>);
    static_assert(std::is_nothrow_copy_assignable_v<A> && std::is_nothrow_move_assignable_v<A>);
    static_assert(std::is_nothrow_constructible_v<A, const B&> && std::is_nothrow_constructible_v<A, B&&>);
    static_assert(std::is_convertible_v<B, A> && std::is_nothrow_swappable_v<A>);
    static_assert(noexcept(std::declval<const A&>() == std::declval<const A&>()));
    static_assert(noexcept(std::declval<const A&>() != std::declval<const B&>()));
    static_assert(noexcept(std::declval<A&>().deallocate(nullptr, 1)));
    static_assert(std::same_as<decltype(std::declval<A&>().allocate(1)), int*>);
    static_assert(sizeof(A) == sizeof(void*));
}

TYPED_TEST_P(allocator_requirements, pointers_go_to_void_and_back) {
    auto a = this->sources.template of_one<std::pair<int, int>>();
    using traits = std::allocator_traits<decltype(a)>;
    typename traits::pointer p = traits::allocate(a, 1);
    traits::construct(a, p, 1, 2);
    typename traits::const_pointer q = p;
    typename traits::void_pointer w = p;
    typename traits::const_void_pointer x = q;
    EXPECT_EQ(static_cast<typename traits::pointer>(w), p);
    EXPECT_EQ(static_cast<typename traits::const_pointer>(x), q);
    EXPECT_EQ(std::pointer_traits<typename traits::pointer>::pointer_to(*p), p);
    EXPECT_EQ(p->first + (*q).second, 3);
    EXPECT_TRUE(typename traits::pointer{} == nullptr);
    traits::destroy(a, p);
    traits::deallocate(a, p, 1);
}

template <class T, class Sources>
void expect_aligned_memory(Sources& sources) {
    SCOPED_TRACE(alignof(T));
    auto a = sources.template of_one<T>();
    using traits = std::allocator_traits<decltype(a)>;
    std::vector<std::pair<T*, std::size_t>> all;
    for (const std::size_t count : {1U, 2U, 3U, 7U, 100U}) {
        T* p = traits::allocate(a, count);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(p) % alignof(T), 0U);
        std::memset(static_cast<void*>(p), static_cast<int>(count), count * sizeof(T));
        all.emplace_back(p, count);
    }
    all.emplace_back(traits::allocate(a, 1, all.front().first), 1); // with a hint
    std::memset(static_cast<void*>(all.back().first), 1, sizeof(T));
    for (const auto& [p, count] : all) {
        const auto* bytes = reinterpret_cast<const unsigned char*>(p);
        EXPECT_TRUE(
            std::all_of(bytes, bytes + count * sizeof(T), [c = count](unsigned char b) { return b == c; }));
        traits::deallocate(a, p, count);
    }
}

TYPED_TEST_P(allocator_requirements, memory_is_aligned_for_its_type_and_nobody_elses) {
    expect_aligned_memory<char>(this->sources);
    expect_aligned_memory<short>(this->sources);
    expect_aligned_memory<double>(this->sources);
    expect_aligned_memory<std::max_align_t>(this->sources);
    expect_aligned_memory<aligned_value<32>>(this->sources);
    expect_aligned_memory<aligned_value<64>>(this->sources);
    expect_aligned_memory<aligned_value<4096>>(this->sources);
    expect_aligned_memory<aligned_value<65536>>(this->sources);
}

TYPED_TEST_P(allocator_requirements, no_objects_are_an_allocation_too) {
    auto a = this->sources.template of_one<int>();
    int* p = a.allocate(0);
    EXPECT_NE(p, nullptr);
    a.deallocate(p, 0);
}

TYPED_TEST_P(allocator_requirements, copies_moves_and_rebound_ones_are_equal) {
    auto a = this->sources.template of_one<int>();
    auto other = this->sources.template of_other<int>();
    using A = decltype(a);
    using B = typename TypeParam::template allocator<std::string>;
    const A copy(a);
    const B rebound(a);
    EXPECT_TRUE(copy == a && a == a && rebound == a && a == rebound);
    EXPECT_FALSE(copy != a || rebound != a);
    EXPECT_TRUE(a != other && B(other) != a && other != copy);
    EXPECT_TRUE(A(rebound) == a); // there and back
    A from(a);
    const A moved(std::move(from));
    EXPECT_TRUE(moved == a && from == a); // what was moved from keeps its value
    B from_rebound(rebound);
    EXPECT_TRUE(A(std::move(from_rebound)) == a);
    A assigned(other);
    assigned = a;
    EXPECT_TRUE(assigned == a);
    using std::swap;
    swap(assigned, other);
    EXPECT_TRUE(assigned != a && other == a);
    EXPECT_TRUE(std::allocator_traits<A>::select_on_container_copy_construction(a) == a);
}

TYPED_TEST_P(allocator_requirements, equal_ones_give_back_what_the_other_allocated) {
    auto a = this->sources.template of_one<counted>();
    typename TypeParam::template allocator<char> rebound(a);
    decltype(a) again(rebound);
    for (const std::size_t count : {1U, 10U, 10000U}) {
        counted* p = a.allocate(count);
        again.deallocate(p, count);
    }
}

TYPED_TEST_P(allocator_requirements, constructs_and_destroys) {
    auto a = this->sources.template of_one<counted>();
    using traits = std::allocator_traits<decltype(a)>;
    counted* p = traits::allocate(a, 2);
    traits::construct(a, p, 7);
    traits::construct(a, p + 1, *p);
    EXPECT_EQ(p[1].value, 7);
    EXPECT_EQ(counted::alive, 2);
    traits::destroy(a, p);
    traits::destroy(a, p + 1);
    EXPECT_EQ(counted::alive, 0);
    traits::deallocate(a, p, 2);
}

TYPED_TEST_P(allocator_requirements, arrays_that_cannot_be_are_bad_array_new_length) {
    auto a = this->sources.template of_one<aligned_value<64>>();
    constexpr std::size_t all = std::numeric_limits<std::size_t>::max();
    const std::size_t before = this->sources.used_of_one();
    EXPECT_THROW(static_cast<void>(a.allocate(all)), std::bad_array_new_length);
    EXPECT_THROW(static_cast<void>(a.allocate(all / 64 + 1)), std::bad_array_new_length); // would be 0 bytes
    EXPECT_THROW(static_cast<void>(a.allocate(all / 64)), std::bad_array_new_length);
    EXPECT_THROW(static_cast<void>(a.allocate(a.max_size() + 1)), std::bad_array_new_length);
    EXPECT_THROW(static_cast<void>(a.allocate(a.max_size())), std::bad_alloc);
    EXPECT_EQ(std::allocator_traits<decltype(a)>::max_size(a), a.max_size());
    EXPECT_EQ(this->sources.used_of_one(), before);
    typename containers<TypeParam>::vector v(this->sources.template of_one<counted>());
    EXPECT_THROW(v.reserve(v.max_size() + 1), std::length_error);
    EXPECT_THROW(v.reserve(v.max_size()), std::bad_alloc);
    EXPECT_TRUE(v.empty());
}

template <class Sources>
struct tree {
    explicit tree(typename Sources::template allocator<tree> a) : children(a) {}
    std::vector<tree, typename Sources::template allocator<tree>> children; // of what is incomplete here
};

TYPED_TEST_P(allocator_requirements, types_may_be_incomplete_until_they_are_allocated) {
    auto a = this->sources.template of_one<tree<TypeParam>>();
    tree<TypeParam> root(a);
    root.children.emplace_back(a);
    root.children.front().children.emplace_back(a);
    EXPECT_EQ(root.children.front().children.size(), 1U);
}

// ---- containers

TYPED_TEST_P(allocator_requirements, containers_have_all_their_memory_in_their_source) {
    this->for_each_container([this]<class Container>() {
        const std::size_t one = this->sources.used_of_one();
        const std::size_t other = this->sources.used_of_other();
        const auto c = this->template in_one<Container>(300);
        EXPECT_TRUE(this->is_in_one(c));
        EXPECT_GT(this->sources.used_of_one(), one);
        EXPECT_EQ(this->sources.used_of_other(), other);
    });
}

TYPED_TEST_P(allocator_requirements, copies_are_made_in_the_same_source_or_the_one_that_is_named) {
    this->for_each_container([this]<class Container>() {
        const auto c = this->template in_one<Container>(300);
        const Container copy(c);
        EXPECT_TRUE(this->is_in_one(copy));
        EXPECT_EQ(elements_of(copy), elements_of(c));
        const std::size_t one = this->sources.used_of_one();
        const std::size_t other = this->sources.used_of_other();
        const Container elsewhere(c, this->sources.template of_other<typename Container::value_type>());
        EXPECT_FALSE(this->is_in_one(elsewhere));
        EXPECT_EQ(elements_of(elsewhere), elements_of(c));
        EXPECT_EQ(this->sources.used_of_one(), one);
        EXPECT_GT(this->sources.used_of_other(), other);
    });
}

TYPED_TEST_P(allocator_requirements, moved_containers_keep_source_and_elements) {
    this->for_each_container([this]<class Container>() {
        auto c = this->template in_one<Container>(300);
        const auto elements = elements_of(c);
        const void* first = address_of_first(c);
        Container moved(std::move(c));
        EXPECT_TRUE(this->is_in_one(moved));
        EXPECT_EQ(elements_of(moved), elements);
        EXPECT_EQ(address_of_first(moved), first) << "elements were moved one by one";
        const std::size_t one = this->sources.used_of_one();
        Container elsewhere(std::move(moved),
                            this->sources.template of_other<typename Container::value_type>());
        EXPECT_FALSE(this->is_in_one(elsewhere));
        EXPECT_EQ(elements_of(elsewhere), elements);
        EXPECT_LE(this->sources.used_of_one(), one);
        c = Container(this->sources.template of_one<typename Container::value_type>());
        add_some(c, 0, 10); // what was moved from can be used again
        EXPECT_EQ(elements_of(c).size(), 10U);
    });
}

TYPED_TEST_P(allocator_requirements, assignment_keeps_the_source_of_the_target) {
    this->for_each_container([this]<class Container>() {
        const auto from = this->template in_other<Container>(200);
        auto to = this->template in_one<Container>(50);
        to = from;
        EXPECT_TRUE(this->is_in_one(to));
        EXPECT_EQ(elements_of(to), elements_of(from));
        const Container& itself = to;
        to = itself;
        EXPECT_EQ(elements_of(to), elements_of(from));
        const auto shorter = this->template in_other<Container>(3);
        to = shorter;
        EXPECT_EQ(elements_of(to), elements_of(shorter));
        add_some(to, 5000, 300);
        EXPECT_TRUE(this->is_in_one(to));
    });
}

TYPED_TEST_P(allocator_requirements, assignment_by_move_keeps_the_source_of_the_target) {
    this->for_each_container([this]<class Container>() {
        auto from = this->template in_other<Container>(200);
        const auto elements = elements_of(from);
        auto to = this->template in_one<Container>(50);
        to = std::move(from);
        EXPECT_TRUE(this->is_in_one(to));
        EXPECT_EQ(elements_of(to), elements);
        from.clear();
        add_some(from, 0, 5);
        EXPECT_FALSE(this->is_in_one(from));
        EXPECT_EQ(elements_of(to), elements);

        auto same = this->template in_one<Container>(70); // of the same source: its memory is taken over
        const auto same_elements = elements_of(same);
        const std::size_t other = this->sources.used_of_other();
        to = std::move(same);
        EXPECT_EQ(elements_of(to), same_elements);
        EXPECT_EQ(this->sources.used_of_other(), other);
    });
}

TYPED_TEST_P(allocator_requirements, swapping_exchanges_elements_with_their_sources) {
    this->for_each_container([this]<class Container>() {
        auto one = this->template in_one<Container>(50);
        auto other = this->template in_other<Container>(70);
        const auto elements_of_one = elements_of(one);
        const auto elements_of_other = elements_of(other);
        const std::size_t used = this->sources.used_of_one() + this->sources.used_of_other();
        using std::swap;
        swap(one, other);
        EXPECT_EQ(this->sources.used_of_one() + this->sources.used_of_other(), used);
        EXPECT_FALSE(this->is_in_one(one));
        EXPECT_TRUE(this->is_in_one(other));
        EXPECT_EQ(elements_of(one), elements_of_other);
        EXPECT_EQ(elements_of(other), elements_of_one);
        add_some(one, 3000, 100);
        add_some(other, 4000, 100);
        one.swap(other);
        EXPECT_TRUE(this->is_in_one(one));
        one.clear();
        other.clear();
    });
}

TYPED_TEST_P(allocator_requirements, lists_are_spliced_and_nodes_handed_on_within_a_source) {
    using all = containers<TypeParam>;
    auto one = this->template in_one<typename all::list>(5);
    auto two = this->template in_one<typename all::list>(5);
    one.splice(one.end(), two);
    EXPECT_EQ(one.size(), 10U);
    auto from = this->template in_one<typename all::map>(3);
    auto to = this->template in_one<typename all::map>(0);
    auto node = from.extract(from.begin());
    to.insert(std::move(node));
    to.merge(from);
    EXPECT_EQ(to.size(), 3U);
    EXPECT_TRUE(from.empty());
    auto dropped = to.extract(to.begin()); // a node goes back to the source with its handle
}

TYPED_TEST_P(allocator_requirements, an_element_that_cannot_be_copied_leaves_nothing_behind) {
    this->for_each_container([this]<class Container>() {
        const auto from = this->template in_other<Container>(20);
        const std::size_t other = this->sources.used_of_other();
        const auto elements = elements_of(from);
        if constexpr (std::is_arithmetic_v<typename Container::value_type>)
            return; // a copy of these never fails
        counted::copies_left = 7;
        EXPECT_THROW(Container(from, this->sources.template of_one<typename Container::value_type>()),
                     std::runtime_error);
        counted::copies_left = std::numeric_limits<int>::max();
        EXPECT_EQ(elements_of(from), elements);
        EXPECT_EQ(this->sources.used_of_other(), other);
    });
}

TYPED_TEST_P(allocator_requirements, scoped_adaptors_pass_it_on_to_elements) {
    using string = typename containers<TypeParam>::string;
    using outer = std::scoped_allocator_adaptor<typename TypeParam::template allocator<string>>;
    const std::size_t other = this->sources.used_of_other();
    std::vector<string, outer> lines{outer(this->sources.template of_one<string>())};
    for (int i = 0; i < 20; ++i)
        lines.emplace_back("a line that is too long to be kept in the string itself");
    EXPECT_TRUE(this->is_in_one(lines.back()));
    EXPECT_EQ(this->sources.used_of_other(), other);
}

TYPED_TEST_P(allocator_requirements, shared_pointers_and_elements_of_great_alignment_are_served) {
    using big = aligned_value<256>;
    auto a = this->sources.template of_one<big>();
    std::vector<big, decltype(a)> v(a);
    std::list<big, decltype(a)> l(a);
    for (int i = 0; i < 50; ++i) {
        v.push_back({i});
        l.push_back({i});
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&v.back()) % alignof(big), 0U);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&l.back()) % alignof(big), 0U);
    }
    const std::shared_ptr<big> shared = std::allocate_shared<big>(a, big{7});
    const std::shared_ptr<big> adopted(new big{8}, std::default_delete<big>(), a);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(shared.get()) % alignof(big), 0U);
    EXPECT_EQ(shared->value + adopted->value, 15);
}

REGISTER_TYPED_TEST_SUITE_P(
    allocator_requirements, types_are_those_of_the_standard, pointers_go_to_void_and_back,
    memory_is_aligned_for_its_type_and_nobody_elses, no_objects_are_an_allocation_too,
    copies_moves_and_rebound_ones_are_equal, equal_ones_give_back_what_the_other_allocated,
    constructs_and_destroys, arrays_that_cannot_be_are_bad_array_new_length,
    types_may_be_incomplete_until_they_are_allocated, containers_have_all_their_memory_in_their_source,
    copies_are_made_in_the_same_source_or_the_one_that_is_named, moved_containers_keep_source_and_elements,
    assignment_keeps_the_source_of_the_target, assignment_by_move_keeps_the_source_of_the_target,
    swapping_exchanges_elements_with_their_sources, lists_are_spliced_and_nodes_handed_on_within_a_source,
    an_element_that_cannot_be_copied_leaves_nothing_behind, scoped_adaptors_pass_it_on_to_elements,
    shared_pointers_and_elements_of_great_alignment_are_served);

} // namespace lowtide::test
