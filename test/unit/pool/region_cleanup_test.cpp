// The end of regions: what runs, in which order, whatever a handler does to the tree; the same in C++.
#include "lowtide/region.hpp"
#include "support/region_test.h"

#include <array>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace lowtide::test {
namespace {

using numbers = std::vector<int>;

// ---- order

class region_cleanups : public testing::Test {
protected:
    // A region whose handle the test has.
    lowtide_region* grow(lowtide_region* parent) {
        lowtide_region*& h = handles[count++];
        h = create(parent, {.first_chunk = 512});
        lowtide_region_set_handle(h, &h);
        return h;
    }
    void note(lowtide_region* r, int number) {
        at_end(r, [this, number] { log.push_back(number); });
    }
    void TearDown() override {
        for (lowtide_region*& h : handles)
            lowtide_region_destroy(h);
    }

    numbers log;
    std::array<lowtide_region*, 32> handles{};
    size_t count = 0;
};

TEST_F(region_cleanups, run_in_reverse_order_with_children_among_them) {
    for (const bool by_reset : {false, true}) {
        log.clear();
        lowtide_region* top = grow(nullptr);
        note(top, 1);
        lowtide_region* first = grow(top);
        note(top, 2);
        note(top, 3);
        lowtide_region* second = grow(top);
        lowtide_region* below = grow(second);
        note(second, 4);
        note(below, 5);
        note(first, 6);
        note(top, 7);
        by_reset ? lowtide_region_reset(top) : lowtide_region_destroy(top);
        EXPECT_EQ(log, (numbers{7, 4, 5, 3, 2, 6, 1}));
        lowtide_region_destroy(by_reset ? top : nullptr);
        EXPECT_EQ(log.size(), 7u) << "each once";
    }
}

TEST_F(region_cleanups, that_were_taken_back_do_not_run) {
    lowtide_region* r = grow(nullptr);
    static numbers seen;
    seen.clear();
    static constexpr auto run = [](void* data) { seen.push_back(*static_cast<int*>(data)); };
    static constexpr auto other = [](void*) { seen.push_back(-1); };
    int one = 1;
    int two = 2;
    lowtide_region_add_cleanup(r, run, &one);
    lowtide_region_add_cleanup(r, run, &two);
    grow(r);
    lowtide_region_add_cleanup(r, run, &one);
    lowtide_region_add_cleanup(r, other, &one);
    EXPECT_EQ(lowtide_region_remove_cleanup(r, other, &two), 0);
    EXPECT_EQ(lowtide_region_remove_cleanup(r, nullptr, r), 0);
    EXPECT_EQ(lowtide_region_remove_cleanup(r, nullptr, nullptr), 0);
    EXPECT_EQ(lowtide_region_remove_cleanup(r, other, &one), 1);
    EXPECT_EQ(lowtide_region_remove_cleanup(r, other, &one), 0);
    EXPECT_EQ(lowtide_region_remove_cleanup(r, run, &one), 1) << "the last one";
    EXPECT_EQ(stats_of(r).cleanups, 2u);
    EXPECT_EQ(stats_of(r).children, 1u);
    lowtide_region_destroy(r);
    EXPECT_EQ(seen, (numbers{2, 1}));
}

TEST_F(region_cleanups, need_a_function) {
    lowtide_region* r = grow(nullptr);
    errno = 0;
    EXPECT_EQ(lowtide_region_add_cleanup(r, nullptr, r), -1);
    EXPECT_EQ(errno, EINVAL);
}

TEST_F(region_cleanups, may_find_the_objects_of_their_region) {
    lowtide_region* r = grow(nullptr);
    char* chunk_text = lowtide_region_strdup(r, "in a chunk");
    char* block_text = lowtide_region_strdup(r, std::string(100'000, 'b').c_str());
    std::string seen;
    at_end(r, [&] { seen = std::string(chunk_text) + block_text; });
    for (int i = 0; i < 10; ++i)
        lowtide_region_alloc(r, 10'000);
    lowtide_region_reset(r);
    EXPECT_EQ(seen, "in a chunk" + std::string(100'000, 'b'));
}

// ---- handlers that do things

TEST_F(region_cleanups, that_add_cleanups_and_children_see_them_run_next) {
    lowtide_region* r = grow(nullptr);
    note(r, 1);
    at_end(r, [&] {
        log.push_back(2);
        note(r, 3);
        note(grow(r), 4);
        at_end(r, [&] {
            log.push_back(5);
            note(r, 6);
            EXPECT_NE(lowtide_region_alloc(r, 100'000), nullptr);
            EXPECT_NE(lowtide_region_alloc(r, 1'000'000), nullptr);
        });
    });
    note(r, 7);
    lowtide_region_reset(r);
    EXPECT_EQ(log, (numbers{7, 2, 5, 6, 4, 3, 1}));
    EXPECT_EQ(stats_of(r).held, 512u);
    EXPECT_EQ(stats_of(r).blocks, 0u);
}

TEST_F(region_cleanups, of_a_child_may_destroy_its_siblings) {
    lowtide_region* top = grow(nullptr);
    lowtide_region* older = grow(top);
    lowtide_region* middle = grow(top);
    lowtide_region* newer = grow(top);
    note(older, 1);
    note(newer, 3);
    at_end(middle, [&] {
        lowtide_region_destroy(older);
        log.push_back(2);
        EXPECT_EQ(handles[1], nullptr);
        EXPECT_EQ(handles[3], nullptr) << "it was destroyed first";
    });
    lowtide_region_reset(top);
    EXPECT_EQ(log, (numbers{3, 1, 2}));
    EXPECT_EQ(stats_of(top).children, 0u);
}

TEST_F(region_cleanups, of_a_parent_may_destroy_its_children) {
    lowtide_region* top = grow(nullptr);
    lowtide_region* child = grow(top);
    note(child, 1);
    note(grow(child), 2);
    at_end(top, [&] {
        lowtide_region_destroy(child);
        log.push_back(3);
    });
    lowtide_region_destroy(top);
    EXPECT_EQ(log, (numbers{2, 1, 3}));
    EXPECT_EQ(handles[0], nullptr);
    EXPECT_EQ(handles[1], nullptr);
}

TEST_F(region_cleanups, that_destroy_or_reset_their_own_region_change_nothing) {
    for (const bool by_reset : {false, true}) {
        log.clear();
        lowtide_region* top = grow(nullptr);
        const size_t place = count;
        lowtide_region* r = grow(top);
        note(r, 1);
        at_end(r, [&, r] {
            by_reset ? lowtide_region_reset(r) : lowtide_region_destroy(r);
            log.push_back(2);
            EXPECT_NE(handles[place], nullptr) << "it is still there while its handlers run";
        });
        note(r, 3);
        lowtide_region_destroy(r);
        EXPECT_EQ(log, (numbers{3, 2, 1}));
        EXPECT_EQ(handles[place], nullptr);
        EXPECT_EQ(stats_of(top).children, 0u);
    }
}

TEST_F(region_cleanups, in_a_reset_may_destroy_the_region) {
    lowtide_region* top = grow(nullptr);
    lowtide_region* r = grow(top);
    note(r, 1);
    at_end(r, [&] { lowtide_region_destroy(r); });
    lowtide_region_reset(r);
    EXPECT_EQ(log, (numbers{1}));
    EXPECT_EQ(handles[1], nullptr);
    EXPECT_EQ(stats_of(top).children, 0u);
}

TEST_F(region_cleanups, in_a_reset_may_reset_it_again) {
    lowtide_region* r = grow(nullptr);
    note(r, 1);
    at_end(r, [&] { lowtide_region_reset(r); });
    lowtide_region_reset(r);
    EXPECT_EQ(log, (numbers{1}));
    EXPECT_NE(handles[0], nullptr);
    note(r, 2);
    lowtide_region_reset(r);
    EXPECT_EQ(log, (numbers{1, 2})) << "it is as new";
}

TEST_F(region_cleanups, may_destroy_any_ancestor) {
    for (const size_t ancestor : {0u, 1u, 2u}) { // top, its child, the parent of the one that is destroyed
        for (const bool by_reset : {false, true}) {
            SCOPED_TRACE(testing::Message() << ancestor << (by_reset ? " in a reset" : ""));
            log.clear();
            count = 0;
            lowtide_region* r = nullptr;
            for (int level = 0; level < 4; ++level) {
                r = grow(r);
                note(r, level);
            }
            lowtide_region* newest = grow(handles[ancestor]);
            note(newest, 10);
            at_end(r, [&] {
                log.push_back(11);
                lowtide_region_destroy(handles[ancestor]);
                log.push_back(12);
                EXPECT_NE(handles[ancestor], nullptr) << "what is being destroyed is below it";
            });
            by_reset ? lowtide_region_reset(r) : lowtide_region_destroy(r);
            numbers expected = {11, 10, 12};
            for (int level = 3; level >= int(ancestor); --level)
                expected.push_back(level);
            EXPECT_EQ(log, expected);
            for (size_t level = 0; level < 4; ++level)
                EXPECT_EQ(handles[level] == nullptr, level >= ancestor) << level;
            lowtide_region_destroy(handles[0]);
            EXPECT_EQ(log.size(), 7u) << "each once";
        }
    }
}

TEST_F(region_cleanups, may_reset_any_ancestor_which_stays) {
    for (const size_t ancestor : {0u, 1u, 2u}) {
        for (const bool by_reset : {false, true}) {
            SCOPED_TRACE(testing::Message() << ancestor << (by_reset ? " in a reset" : ""));
            log.clear();
            count = 0;
            lowtide_region* r = nullptr;
            for (int level = 0; level < 4; ++level) {
                r = grow(r);
                note(r, level);
            }
            at_end(r, [&] { lowtide_region_reset(handles[ancestor]); });
            by_reset ? lowtide_region_reset(r) : lowtide_region_destroy(r);
            numbers expected;
            for (int level = 3; level >= int(ancestor); --level)
                expected.push_back(level);
            EXPECT_EQ(log, expected);
            for (size_t level = 0; level < 4; ++level)
                EXPECT_EQ(handles[level] == nullptr, level > ancestor) << level;
            ASSERT_NE(handles[ancestor], nullptr);
            EXPECT_EQ(stats_of(handles[ancestor]).children, 0u);
            EXPECT_EQ(stats_of(handles[ancestor]).cleanups, 0u);
            note(handles[ancestor], 20);
            lowtide_region_reset(handles[ancestor]);
            EXPECT_EQ(log.back(), 20) << "it can be used";
            lowtide_region_destroy(handles[0]);
            EXPECT_EQ(handles[ancestor], nullptr);
        }
    }
}

TEST_F(region_cleanups, may_reset_an_ancestor_and_then_destroy_it_or_one_above) {
    for (const size_t destroyed : {0u, 1u}) {
        count = 0;
        log.clear();
        lowtide_region* r = nullptr;
        for (int level = 0; level < 4; ++level) {
            r = grow(r);
            note(r, level);
        }
        at_end(r, [&] {
            lowtide_region_reset(handles[1]);
            lowtide_region_destroy(handles[destroyed]);
            lowtide_region_reset(handles[1]);
        });
        lowtide_region_destroy(r);
        EXPECT_EQ(handles[1], nullptr);
        EXPECT_EQ(handles[0] == nullptr, destroyed == 0);
        EXPECT_EQ(log.size(), destroyed == 0 ? 4u : 3u);
        lowtide_region_destroy(handles[0]);
    }
}

// Two calls that empty siblings, one made from the other, when their parent is destroyed.
TEST_F(region_cleanups, of_siblings_in_each_other_may_destroy_the_parent) {
    for (const bool outer_is_older : {false, true}) {
        for (const bool inner_resets : {false, true}) {
            for (const bool outer_resets : {false, true}) {
                count = 0;
                log.clear();
                lowtide_region* top = grow(nullptr);
                lowtide_region* parent = grow(top);
                lowtide_region* older = grow(parent);
                lowtide_region* newer = grow(parent);
                lowtide_region* outer = outer_is_older ? older : newer;
                lowtide_region* inner = outer_is_older ? newer : older;
                const auto end = [](lowtide_region* r, bool by_reset) {
                    by_reset ? lowtide_region_reset(r) : lowtide_region_destroy(r);
                };
                note(parent, 0);
                note(inner, 1);
                note(outer, 2);
                at_end(outer, [&] { end(inner, inner_resets); });
                at_end(inner, [&] { lowtide_region_destroy(parent); });
                end(outer, outer_resets);
                EXPECT_EQ(log.size(), 3u);
                EXPECT_EQ(handles[1], nullptr);
                EXPECT_EQ(handles[2], nullptr);
                EXPECT_EQ(handles[3], nullptr);
                EXPECT_EQ(stats_of(top).children, 0u);
                lowtide_region_destroy(top);
            }
        }
    }
}

TEST_F(region_cleanups, run_through_deep_trees_without_recursion) {
    constexpr int levels = 100'000;
    for (const bool from_below : {false, true}) {
        lowtide_region* top = create(nullptr, {.first_chunk = 512});
        lowtide_region_set_handle(top, &top);
        lowtide_region* deepest = top;
        static int ran;
        static int last;
        ran = 0;
        for (intptr_t i = 0; i < levels; ++i) {
            deepest = create(deepest, {.first_chunk = 512});
            ASSERT_NE(deepest, nullptr);
            lowtide_region_add_cleanup(
                deepest,
                [](void* data) {
                    ++ran;
                    last = static_cast<int>(reinterpret_cast<intptr_t>(data));
                },
                reinterpret_cast<void*>(i));
        }
        EXPECT_EQ(stats_of(top).tree_held, size_t{512} * (levels + 1));
        if (from_below) {
            at_end(deepest, [&] { lowtide_region_destroy(top); });
            lowtide_region_destroy(deepest);
        } else {
            lowtide_region_destroy(top);
        }
        EXPECT_EQ(last, 0) << "from the deepest to the top";
        EXPECT_EQ(ran, levels);
        EXPECT_EQ(top, nullptr);
    }
}

// ---- anything

// Handlers do what chance says. Afterwards every region is there that must be, none that must not, and no
// handler ran twice or not at all.
class region_chaos : public testing::TestWithParam<unsigned> {
protected:
    struct node {
        lowtide_region* r = nullptr; // null when it is gone
        node* parent = nullptr;
        bool doomed = false;  // destroy was called for it
        bool emptied = false; // or reset
        bool old = false;     // it was made before the present call
        bool made_late = false;
    };
    struct handler {
        node* of;
        int runs = 0;
        bool old = false;
    };

    unsigned below(size_t n) { return static_cast<unsigned>(random() % n); }

    node* any() {
        std::vector<node*> alive;
        for (const auto& n : nodes)
            if (n->r != nullptr)
                alive.push_back(n.get());
        return alive.empty() ? nullptr : alive[below(alive.size())];
    }
    void make() {
        node* parent = below(8) == 0 ? nullptr : any();
        nodes.push_back(std::make_unique<node>());
        node& n = *nodes.back();
        n.parent = parent;
        n.r = create(parent == nullptr ? nullptr : parent->r, {.first_chunk = 512, .warm_chunks = below(3)});
        ASSERT_NE(n.r, nullptr);
        lowtide_region_set_handle(n.r, &n.r);
    }
    void handle() {
        node* n = any();
        if (n == nullptr)
            return;
        handlers.push_back(std::make_unique<handler>());
        handler* h = handlers.back().get();
        h->of = n;
        at_end(n->r, [this, h] {
            ++h->runs;
            const unsigned actions = budget == 0 ? 0 : below(3);
            for (unsigned i = 0; i < actions && budget > 0; ++i, --budget)
                act();
        });
    }
    void act() {
        node* n = any();
        switch (below(7)) {
        case 0:
        case 1:
            make();
            break;
        case 2:
        case 3:
            handle();
            break;
        case 4:
            if (n != nullptr) {
                n->doomed = true;
                lowtide_region_destroy(n->r);
            }
            break;
        case 5:
            if (n != nullptr) {
                n->emptied = true;
                lowtide_region_reset(n->r);
            }
            break;
        default:
            if (n != nullptr)
                lowtide_region_alloc(n->r, below(40'000));
        }
    }
    static bool must_be_gone(const node& n) {
        bool gone = n.doomed;
        for (const node* p = n.parent; p != nullptr && !gone; p = p->parent)
            gone = p->doomed || p->emptied;
        return gone;
    }
    void judge() {
        for (const auto& n : nodes) {
            if (n->old) {
                ASSERT_EQ(n->r == nullptr, must_be_gone(*n));
            }
            ASSERT_TRUE(n->r == nullptr || n->parent == nullptr || n->parent->r != nullptr);
            ASSERT_TRUE(n->r == nullptr || lowtide_region_alloc(n->r, 100) != nullptr);
        }
        std::map<const node*, size_t> waiting;
        for (const auto& h : handlers) {
            ASSERT_LE(h->runs, 1);
            const bool must_have_run = h->of->r == nullptr || (h->old && h->of->emptied);
            ASSERT_TRUE(!must_have_run || h->runs == 1);
            ASSERT_TRUE(must_have_run || h->of->emptied || h->runs == 0);
            waiting[h->of] += h->runs == 0;
        }
        for (const auto& n : nodes) {
            ASSERT_TRUE(n->r == nullptr || stats_of(n->r).cleanups == waiting[n.get()]);
        }
        // What is left is the beginning of the next step.
        std::erase_if(handlers, [](const auto& h) { return h->runs != 0; });
        for (auto& h : handlers)
            h->old = true;
        for (auto& n : nodes) {
            n->old = n->r != nullptr;
            n->doomed = n->emptied = false;
        }
        std::erase_if(nodes, [](const auto& n) { return n->r == nullptr; });
    }

    std::mt19937 random{GetParam()};
    std::vector<std::unique_ptr<node>> nodes;
    std::vector<std::unique_ptr<handler>> handlers;
    int budget = 0;
};

TEST_P(region_chaos, of_handlers_leaves_what_must_be) {
    SCOPED_TRACE(testing::Message() << "seed " << GetParam());
    for (int step = 0; step < 1500; ++step) {
        SCOPED_TRACE(testing::Message() << "step " << step);
        budget = 50;
        act();
        judge();
        if (HasFatalFailure())
            return;
    }
    budget = 0;
    for (const auto& n : nodes)
        lowtide_region_destroy(n->r);
    for (const auto& h : handlers)
        EXPECT_EQ(h->runs, 1);
}

INSTANTIATE_TEST_SUITE_P(seeds, region_chaos, testing::Range(1u, 13u));

// ---- C++

TEST(region_class, destroys_what_it_made) {
    numbers log;
    struct noted {
        noted(numbers* to, int number) : log(to), own(number) {}
        noted(const noted&) = delete;
        ~noted() { log->push_back(own); }
        numbers* log;
        int own;
    };
    {
        region r;
        auto& one = r.make<noted>(&log, 1);
        r.on_destroy([&log, &one] { log.push_back(one.own * 10); });
        r.make<noted>(&log, 2);
        EXPECT_EQ(r.make<int>(42), 42);
        r.make<std::string>("a string that is longer than what fits in the object").append("!");
    }
    EXPECT_EQ(log, (numbers{2, 10, 1}));
}

TEST(region_class, destroys_an_object_before_what_its_constructor_made) {
    struct user {
        user(region& r, std::string* seen)
            : text(r.make<std::string>("what the object needs as long as it lives")), out(seen) {}
        ~user() { *out = text; }
        std::string& text;
        std::string* out;
    };
    std::string seen;
    {
        region r;
        r.make<user>(r, &seen);
    }
    EXPECT_EQ(seen, "what the object needs as long as it lives");
}

TEST(region_class, leaves_nothing_of_an_object_whose_constructor_throws) {
    static int destroyed;
    destroyed = 0;
    struct thrower {
        explicit thrower(bool throws) {
            if (throws)
                throw std::runtime_error("no");
        }
        ~thrower() { ++destroyed; }
    };
    region r;
    EXPECT_THROW(r.make<thrower>(true), std::runtime_error);
    r.make<thrower>(false);
    r.reset();
    EXPECT_EQ(destroyed, 1);
}

struct alignas(64) wide {
    explicit wide(int v) : value(v) {}
    ~wide() { EXPECT_EQ(reinterpret_cast<uintptr_t>(this) % 64, 0u); }
    int value;
};
struct alignas(4096) page {
    char bytes[4096];
};

TEST(region_class, aligns_its_objects) {
    region r;
    for (int i = 0; i < 100; ++i) {
        r.make<char>();
        EXPECT_EQ(reinterpret_cast<uintptr_t>(&r.make<wide>(i)) % 64, 0u);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(r.make_array<page>(2)) % 4096, 0u);
    }
}

TEST(region_class, values_the_objects_of_an_array) {
    region r({.warm_chunks = 2});
    for (int round = 0; round < 2; ++round) {
        int* all = r.make_array<int>(1000);
        for (int i = 0; i < 1000; ++i)
            ASSERT_EQ(std::exchange(all[i], -1), 0);
        r.reset();
    }
    EXPECT_NE(r.make_array<int>(0), nullptr);
    EXPECT_THROW((void)r.make_array<int>(SIZE_MAX / 4 + 2), std::bad_alloc);
    EXPECT_THROW((void)r.make_array<int>(SIZE_MAX), std::bad_alloc);
}

TEST(region_class, runs_actions_that_can_only_be_moved_and_destroys_them_once) {
    static int alive;
    alive = 0;
    struct counted {
        counted() { ++alive; }
        ~counted() { --alive; }
    };
    int ran = 0;
    region r;
    r.on_destroy([p = std::make_unique<counted>(), &ran] { ran += p != nullptr ? 1 : 100; });
    EXPECT_EQ(alive, 1);
    r.reset();
    EXPECT_EQ(ran, 1);
    EXPECT_EQ(alive, 0);
    r.destroy();
    EXPECT_EQ(ran, 1);
}

TEST(region_class, without_memory_throws_and_leaves_nothing) {
    static int alive;
    alive = 0;
    struct counted {
        counted() { ++alive; }
        counted(counted&&) noexcept { ++alive; }
        ~counted() { --alive; }
        void operator()() const {}
        char bytes[16];
    };
    const region_options small{.first_chunk = 512, .limit = 512};
    for (size_t rest = 0; rest <= 96; rest += 16) {
        region r(small);
        const size_t room = r.stats().free;
        ASSERT_NE(r.allocate(room - rest), nullptr);
        bool thrown = false;
        try {
            r.make<counted>();
        } catch (const std::bad_alloc&) {
            thrown = true;
        }
        EXPECT_EQ(alive, thrown ? 0 : 1);
        EXPECT_EQ(r.stats().cleanups, thrown ? 0u : 1u);
        r.reset();
        EXPECT_EQ(alive, 0);
        ASSERT_NE(r.allocate(room - rest), nullptr);
        thrown = false;
        try {
            r.on_destroy(counted());
        } catch (const std::bad_alloc&) {
            thrown = true;
        }
        EXPECT_EQ(alive, thrown ? 0 : 1);
        r.reset();
        EXPECT_EQ(alive, 0);
    }
    region r(small);
    EXPECT_THROW(r.make<page>(), std::bad_alloc);
    EXPECT_THROW((void)r.copy(std::string(600, 'c')), std::bad_alloc);
    EXPECT_EQ(r.allocate(600), nullptr);
    EXPECT_THROW(region(r, {}), std::bad_alloc);
    EXPECT_THROW(region({.first_chunk = 1}), std::bad_alloc);
    EXPECT_EQ(r.allocate(1, 3), nullptr);
}

TEST(region_class, copies_text) {
    region r;
    const std::string_view copy = r.copy(std::string_view("a\0b", 3));
    EXPECT_EQ(copy, std::string_view("a\0b", 3));
    EXPECT_EQ(copy.data()[3], '\0');
    EXPECT_EQ(r.copy({}), "");
}

TEST(region_class, frees_its_blocks) {
    region r({.name = "mine"});
    EXPECT_EQ(r.name(), "mine");
    void* block = r.allocate(1 << 20, 4096);
    EXPECT_TRUE(r.free(block));
    EXPECT_FALSE(r.free(r.allocate(10)));
    EXPECT_FALSE(r.free(nullptr));
}

TEST(region_class, is_false_once_it_is_gone) {
    auto parent = std::make_unique<region>();
    region child(*parent);
    region grandchild(child);
    region sibling(*parent);
    EXPECT_TRUE(child && grandchild && sibling);
    EXPECT_EQ(lowtide_region_parent(child.get()), parent->get());
    sibling.destroy();
    EXPECT_FALSE(sibling);
    sibling.destroy();
    parent->reset();
    EXPECT_TRUE(*parent);
    EXPECT_FALSE(child || grandchild);
    region second(*parent);
    parent.reset();
    EXPECT_FALSE(second);
}

TEST(region_class, refuses_a_parent_that_is_gone) {
    lowtide::region gone;
    gone.destroy();
    EXPECT_THROW(lowtide::region child(gone), std::invalid_argument);
}

TEST(region_class, moves) {
    int ran = 0;
    region parent;
    region first(parent);
    first.on_destroy([&ran] { ++ran; });
    region second(std::move(first));
    EXPECT_FALSE(first);
    EXPECT_TRUE(second);
    region third(parent);
    third.on_destroy([&ran] { ran += 10; });
    third = std::move(second);
    EXPECT_EQ(ran, 10) << "what it had is destroyed";
    EXPECT_TRUE(third);
    region& alias = third;
    third = std::move(alias);
    EXPECT_TRUE(third) << "to itself";
    std::vector<region> many;
    for (int i = 0; i < 20; ++i)
        many.emplace_back(parent);
    parent.reset();
    EXPECT_EQ(ran, 11);
    EXPECT_FALSE(third);
    for (const region& r : many)
        EXPECT_FALSE(r);
    parent = region();
    EXPECT_TRUE(parent);
}

TEST(region_class, may_live_in_its_parent) {
    numbers log;
    region parent;
    region& child = parent.make<region>(parent);
    child.on_destroy([&log] { log.push_back(1); });
    parent.on_destroy([&log] { log.push_back(2); });
    parent.reset();
    EXPECT_EQ(log, (numbers{2, 1}));
}

// A connection that owns its region and is ended by one of the region's own cleanups.
TEST(region_class, may_end_in_a_cleanup_of_its_own_region) {
    for (int way = 0; way < 3; ++way) {
        int ran = 0;
        region parent;
        auto* r = new region(parent);
        r->on_destroy([&ran] { ++ran; });
        r->on_destroy([r] { delete r; });
        switch (way) {
        case 0:
            parent.reset();
            break;
        case 1:
            lowtide_region_destroy(r->get());
            break;
        default:
            lowtide_region_reset(r->get());
        }
        EXPECT_EQ(ran, 1);
        EXPECT_EQ(parent.stats().children, 0u);
    }
}

TEST(region_class, may_be_given_a_new_region_in_a_cleanup_of_the_old_one) {
    region r;
    lowtide_region* made = nullptr;
    r.on_destroy([&] {
        r = region();
        made = r.get();
    });
    lowtide_region_destroy(r.get());
    EXPECT_TRUE(r);
    EXPECT_EQ(r.get(), made);
    EXPECT_NE(r.allocate(10), nullptr);
}

TEST(region_class, may_be_moved_in_a_cleanup) {
    region r;
    region other;
    r.on_destroy([&] { other = std::move(r); });
    lowtide_region_destroy(r.get());
    EXPECT_FALSE(r);
    EXPECT_FALSE(other) << "it has the handle now";
}

// ---- C++: cleanups that throw

std::string message_of(const std::function<void()>& run) {
    try {
        run();
    } catch (const std::runtime_error& e) {
        return e.what();
    }
    return "nothing thrown";
}

TEST(region_exceptions, of_cleanups_leave_when_all_is_done_and_the_first_is_thrown) {
    for (const bool by_reset : {false, true}) {
        int ran = 0;
        region parent;
        region r(parent);
        const auto add = [&ran](region& to, const char* what) {
            to.on_destroy([&ran, what] {
                ++ran;
                throw std::runtime_error(what);
            });
        };
        add(r, "oldest");
        region child(r);
        add(child, "child's");
        r.on_destroy([&ran] { ++ran; });
        add(r, "newest");
        struct bad_destructor {
            int* ran;
            ~bad_destructor() noexcept(false) {
                ++*ran;
                throw std::runtime_error("destructor");
            }
        };
        if (by_reset)
            r.make<bad_destructor>(&ran);
        EXPECT_EQ(message_of([&] { by_reset ? r.reset() : r.destroy(); }),
                  by_reset ? "destructor" : "newest");
        EXPECT_EQ(ran, by_reset ? 5 : 4);
        EXPECT_EQ(bool(r), by_reset);
        EXPECT_FALSE(child);
        EXPECT_EQ(message_of([&] { r.destroy(); }), "nothing thrown");
        EXPECT_EQ(message_of([&] { parent.destroy(); }), "nothing thrown");
    }
}

TEST(region_exceptions, of_a_region_destroyed_in_a_cleanup_are_its_callers) {
    region outer;
    region inner;
    std::string seen;
    inner.on_destroy([] { throw std::runtime_error("inner"); });
    outer.on_destroy([&] { seen = message_of([&] { inner.destroy(); }); });
    outer.on_destroy([&] { throw std::runtime_error("outer"); });
    EXPECT_EQ(message_of([&] { outer.destroy(); }), "outer");
    EXPECT_EQ(seen, "inner");
}

TEST(region_exceptions, destroy_the_action_that_threw) {
    const auto shared = std::make_shared<int>(1);
    region r;
    r.on_destroy([shared] { throw std::runtime_error("thrown"); });
    EXPECT_EQ(shared.use_count(), 2);
    EXPECT_THROW(r.reset(), std::runtime_error);
    EXPECT_EQ(shared.use_count(), 1);
}

TEST(region_exceptions_death, in_a_destructor_terminate) {
    const auto thrower = [] { throw std::runtime_error("thrown"); };
    EXPECT_DEATH(
        {
            region r;
            r.on_destroy(thrower);
        },
        "");
    EXPECT_DEATH(
        {
            region r;
            r.on_destroy(thrower);
            lowtide_region_destroy(r.get());
        },
        "");
    EXPECT_DEATH(
        {
            region r;
            r.on_destroy(thrower);
            r = region();
        },
        "");
}

} // namespace
} // namespace lowtide::test
