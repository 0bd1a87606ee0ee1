// Regions against a model: random trees and requests, and after each the truth is what the model says. What
// an object holds is looked at when it goes, and all objects now and then.
#include "support/region_test.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

namespace lowtide::test {
namespace {

struct object {
    unsigned char* at;
    size_t size;
    unsigned char mark;
    bool own_block;
};

struct node {
    struct dependent {
        int cleanup = 0; // 0: a child
        node* child = nullptr;
    };
    lowtide_region* r = nullptr;
    node* parent = nullptr;
    shape like;
    std::vector<dependent> dependents; // oldest first
    std::vector<object> objects;
    std::vector<std::unique_ptr<node>> children;
    size_t refused = 0;
};

class region_model : public testing::TestWithParam<unsigned> {
protected:
    size_t below(size_t n) { return random() % n; }
    bool once_in(size_t n) { return below(n) == 0; }

    static void check(const object& o) {
        ASSERT_TRUE(o.size == 0 || (o.at[0] == o.mark && std::memcmp(o.at, o.at + 1, o.size - 1) == 0))
            << "somebody else wrote here: an object of " << o.size;
    }
    static void check_all(const node& n) {
        for (const object& o : n.objects)
            check(o);
        for (const auto& child : n.children)
            check_all(*child);
    }
    static size_t held(const node& n) {
        size_t sum = stats_of(n.r).held;
        for (const auto& child : n.children)
            sum += held(*child);
        return sum;
    }
    void collect(node& n, std::vector<node*>& all) {
        all.push_back(&n);
        for (const auto& child : n.children)
            collect(*child, all);
    }
    node& any() {
        std::vector<node*> all;
        for (const auto& tree : trees)
            collect(*tree, all);
        return *all[below(all.size())];
    }

    // ---- what the regions should say

    void compare(const node& n) {
        const auto s = stats_of(n.r);
        ASSERT_EQ(s.children, n.children.size());
        ASSERT_EQ(s.cleanups, n.dependents.size() - n.children.size());
        ASSERT_EQ(s.blocks, std::count_if(n.objects.begin(), n.objects.end(),
                                          [](const object& o) { return o.own_block; }));
        ASSERT_EQ(s.tree_held, held(n));
        ASSERT_EQ(s.limit, n.like.limit);
        ASSERT_TRUE(s.limit == 0 || s.tree_held <= s.limit);
        ASSERT_LE(s.free, s.held);
        size_t bytes = 0;
        for (const object& o : n.objects)
            bytes += o.size;
        ASSERT_LE(bytes + s.free, s.held);
        ASSERT_EQ(lowtide_region_parent(n.r), n.parent == nullptr ? nullptr : n.parent->r);
    }

    // ---- what is done

    void grow_tree() {
        node* parent = trees.size() < 3 ? nullptr : &any();
        auto n = std::make_unique<node>();
        n->parent = parent;
        n->like.first_chunk = size_t{512} << below(6);
        n->like.largest_chunk = n->like.first_chunk << below(7);
        n->like.warm_chunks = static_cast<unsigned>(below(4));
        n->like.guarded = once_in(6) ? 1 : 0;
        n->like.limit = once_in(3) ? n->like.first_chunk + below(300'000) : 0;
        n->r = create(parent == nullptr ? nullptr : parent->r, n->like);
        if (n->r == nullptr) {
            ASSERT_TRUE(is_limited(parent));
            ASSERT_EQ(errno, EDQUOT);
            return;
        }
        lowtide_region_set_handle(n->r, &n->r);
        if (parent == nullptr) {
            trees.push_back(std::move(n));
        } else {
            parent->dependents.push_back({0, n.get()});
            parent->children.push_back(std::move(n));
        }
    }
    static bool is_limited(const node* n) {
        for (; n != nullptr; n = n->parent)
            if (n->like.limit != 0)
                return true;
        return false;
    }

    size_t any_size(const node& n) {
        const size_t quarter = n.like.largest_chunk / 4;
        switch (below(8)) {
        case 0:
            return below(3);
        case 1:
            return quarter + below(3) - 1;
        case 2:
            return below(2 * quarter + 1);
        case 3:
            return below(100'000);
        default:
            return below(200);
        }
    }
    void allocate() {
        node& n = any();
        const size_t size = any_size(n);
        const size_t alignment = once_in(4) ? size_t{1} << below(15) : 16;
        const auto before = stats_of(n.r);
        auto* at =
            static_cast<unsigned char*>(once_in(5) ? lowtide_region_calloc(n.r, 1, size)
                                                   : lowtide_region_alloc_aligned(n.r, alignment, size));
        const auto after = stats_of(n.r);
        if (at == nullptr) {
            ASSERT_TRUE(is_limited(&n));
            ASSERT_EQ(errno, EDQUOT);
            // Warm chunks are given up first.
            ASSERT_TRUE(after.held == before.held || (n.like.warm_chunks != 0 && after.held < before.held));
            ASSERT_TRUE(after.free == before.free || after.held != before.held);
            ASSERT_EQ(after.blocks, before.blocks);
            return;
        }
        const object o = {at, size, static_cast<unsigned char>(random()), after.blocks > before.blocks};
        ASSERT_TRUE(alignment > 16 || o.own_block == (size > n.like.largest_chunk / 4)) << size;
        std::memset(at, o.mark, size);
        n.objects.push_back(o);
    }
    void free_object() {
        node& n = any();
        if (n.objects.empty())
            return;
        const size_t i = below(n.objects.size());
        const object o = n.objects[i];
        check(o);
        ASSERT_EQ(lowtide_region_free(n.r, o.at), o.own_block ? 1 : 0);
        if (o.own_block)
            n.objects.erase(n.objects.begin() + static_cast<ptrdiff_t>(i));
    }
    void add_cleanup() {
        node& n = any();
        const int number = ++last_cleanup;
        static region_model* self;
        self = this;
        const auto run = [](void* data) {
            self->log.push_back(static_cast<int>(reinterpret_cast<intptr_t>(data)));
        };
        if (lowtide_region_add_cleanup(n.r, run, reinterpret_cast<void*>(intptr_t{number})) == 0)
            n.dependents.push_back({number, nullptr});
        else
            ASSERT_TRUE(is_limited(&n));
    }

    // All that runs at the end of `n`, in its order.
    static void expect_end(const node& n, std::vector<int>& expected) {
        for (auto d = n.dependents.rbegin(); d != n.dependents.rend(); ++d) {
            if (d->child != nullptr)
                expect_end(*d->child, expected);
            else
                expected.push_back(d->cleanup);
        }
    }
    void empty(node& n, bool by_reset) {
        check_all(n);
        std::vector<int> expected;
        expect_end(n, expected);
        log.clear();
        by_reset ? lowtide_region_reset(n.r) : lowtide_region_destroy(n.r);
        ASSERT_EQ(log, expected);
        for (const auto& child : n.children)
            ASSERT_EQ(child->r, nullptr);
        n.children.clear();
        n.dependents.clear();
        n.objects.clear();
        ASSERT_EQ(n.r != nullptr, by_reset);
    }
    void reset() {
        node& n = any();
        empty(n, true);
        const auto s = stats_of(n.r);
        ASSERT_TRUE(s.chunks <= 1 + (n.like.guarded != 0 ? 0 : n.like.warm_chunks));
    }
    void destroy() {
        node& n = any();
        empty(n, false);
        if (HasFatalFailure())
            return;
        auto& among = n.parent == nullptr ? trees : n.parent->children;
        if (n.parent != nullptr)
            std::erase_if(n.parent->dependents, [&n](const node::dependent& d) { return d.child == &n; });
        std::erase_if(among, [&n](const auto& each) { return each.get() == &n; });
    }

    void step() {
        const size_t chance = below(200);
        if (trees.empty() || chance < 10)
            grow_tree();
        else if (chance < 140)
            allocate();
        else if (chance < 160)
            free_object();
        else if (chance < 185)
            add_cleanup();
        else if (chance < 194)
            reset();
        else
            destroy();
    }

    std::mt19937_64 random{GetParam()};
    std::vector<std::unique_ptr<node>> trees;
    std::vector<int> log;
    int last_cleanup = 0;
};

TEST_P(region_model, agrees) {
    SCOPED_TRACE(testing::Message() << "seed " << GetParam());
    for (int i = 0; i < 4000; ++i) {
        SCOPED_TRACE(testing::Message() << "step " << i);
        step();
        if (HasFatalFailure())
            return;
        if (!trees.empty())
            compare(any());
        if (i % 64 == 0)
            for (const auto& tree : trees)
                check_all(*tree);
        if (HasFatalFailure())
            return;
    }
    for (const auto& tree : trees)
        empty(*tree, false);
}

INSTANTIATE_TEST_SUITE_P(seeds, region_model, testing::Range(1u, 9u));

} // namespace
} // namespace lowtide::test
