// The intrusive list: its order, its ends, and that an element knows whether it is in it.
#include "base/list.h"

#include <gtest/gtest.h>
#include <vector>

namespace lowtide::test {
namespace {

struct by_name;
struct element : list_node<>, list_node<by_name> {
    explicit element(int n) : number(n) {}
    int number;
    list_node<>& place() { return *this; }
};

std::vector<int> numbers(list<element>& l) {
    std::vector<int> all;
    for (element* e = l.front(); e != nullptr; e = l.after(*e))
        all.push_back(e->number);
    return all;
}

TEST(lists, keep_the_order_in_which_elements_came) {
    list<element> l;
    element one(1), two(2), three(3);
    EXPECT_TRUE(l.empty());
    EXPECT_EQ(l.front(), nullptr);
    l.push_back(two);
    l.push_back(three);
    l.push_front(one);
    EXPECT_FALSE(l.empty());
    EXPECT_EQ(numbers(l), (std::vector{1, 2, 3}));
}

TEST(lists, lose_an_element_at_either_end_and_in_the_middle) {
    for (const int gone : {1, 2, 3}) {
        list<element> l;
        element elements[] = {element(1), element(2), element(3)};
        for (element& e : elements)
            l.push_back(e);
        elements[gone - 1].place().unlink();
        std::vector<int> rest = {1, 2, 3};
        rest.erase(rest.begin() + gone - 1);
        EXPECT_EQ(numbers(l), rest);
    }
}

TEST(lists, an_element_knows_whether_it_is_in_one) {
    list<element> l;
    element e(1);
    EXPECT_FALSE(e.place().linked());
    l.push_back(e);
    EXPECT_TRUE(e.place().linked()) << "alone in its list";
    e.place().unlink();
    EXPECT_FALSE(e.place().linked());
    EXPECT_TRUE(l.empty());
    l.push_front(e);
    EXPECT_EQ(l.front(), &e) << "a list that was emptied can be filled again";
}

TEST(lists, an_element_is_in_two_at_once) {
    list<element> numbered;
    list<element, by_name> named;
    element e(1), f(2);
    numbered.push_back(e);
    numbered.push_back(f);
    named.push_back(f);
    named.push_back(e);
    e.place().unlink();
    EXPECT_EQ(numbers(numbered), std::vector{2});
    EXPECT_EQ(named.front(), &f);
    EXPECT_EQ(named.after(f), &e);
}

TEST(lists, can_be_forgotten_without_a_look_at_broken_links) {
    list<element> l;
    element e(1), f(2);
    l.push_back(e);
    l.push_back(f);
    const auto broken = reinterpret_cast<list_node<>*>(16);
    e.place().next = broken;
    f.place().previous = broken;
    l.forget();
    EXPECT_TRUE(l.empty());
    e.place().forget();
    f.place().forget();
    l.push_back(f);
    l.push_back(e);
    EXPECT_EQ(numbers(l), (std::vector{2, 1}));
}

} // namespace
} // namespace lowtide::test
