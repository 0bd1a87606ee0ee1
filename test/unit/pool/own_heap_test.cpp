// Heaps of the program's own on fake pages: a model of what each has, and what it leaves behind.
#include "pool/own_heap.h"

#include "support/child.h"
#include "support/fake_pages.h"
#include "support/zeroed.h"

#include <cstring>
#include <gtest/gtest.h>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

namespace lowtide::test {
namespace {

std::atomic<int> wrong_frees{0};
std::atomic<size_t> relief{0};

class own_heaps : public testing::Test {
protected:
    // A fake's lock, and libc's, are not for a child of fork: tests that make some have the system's pages.
    enum class source_of_pages { fake, system };

    explicit own_heaps(source_of_pages which = source_of_pages::fake)
        : source(which == source_of_pages::fake ? fake.source() : &system) {
        wrong_frees = 0;
        relief = 0;
        fake.allow_plain_blocks();
    }

    // With its shards, as the C surface makes it.
    class heap_of_test {
    public:
        explicit heap_of_test(own_heaps& t)
            : records_(t.records),
              shards_(static_cast<slab_shards*>(records_.allocate(sizeof(slab_shards)))) {
            void* memory = records_.allocate(sizeof(own_heap));
            heap_ = new (memory)
                own_heap({&t.pages, t.map.get(), &t.records, []() noexcept { return relief.load(); },
                          [](free_error, const void*, const span*) noexcept { ++wrong_frees; }},
                         shards_, "test");
        }
        ~heap_of_test() {
            heap_->destroy();
            records_.deallocate(shards_, sizeof(slab_shards));
            records_.deallocate(heap_, sizeof(own_heap));
        }
        heap_of_test(const heap_of_test&) = delete;
        heap_of_test& operator=(const heap_of_test&) = delete;
        own_heap* operator->() { return heap_; }
        own_heap* get() { return heap_; }

    private:
        metadata& records_;
        slab_shards* shards_;
        own_heap* heap_;
    };

    span& span_of(const void* p) {
        span* s = map->around(reinterpret_cast<uintptr_t>(p));
        EXPECT_NE(s, nullptr);
        return *s;
    }

public:
    void release(void* p) {
        span& s = span_of(p);
        own_heap::of(s)->release(s, p);
    }

protected:
    void* reallocate(void* p, size_t size) {
        span& s = span_of(p);
        return own_heap::of(s)->reallocate(s, p, size);
    }
    size_t usable(const void* p) { return span_of(p).object_size; }
    [[nodiscard]] size_t used() { return pages.counts().used_bytes; }

    static size_t random_size(std::mt19937& random) {
        switch (random() % 10) {
        case 0:
            return random() % (3 * mebibyte);
        case 1:
            return random() % (200 * kibibyte);
        case 2:
            return random() % (20 * kibibyte);
        default:
            return random() % 600;
        }
    }

    using objects = std::map<char*, size_t>;
    static objects walked(own_heap& h) {
        objects seen;
        const int answer = h.walk(
            [](void* object, size_t size, void* to) {
                EXPECT_TRUE(static_cast<objects*>(to)->emplace(static_cast<char*>(object), size).second);
                return 0;
            },
            &seen);
        EXPECT_EQ(answer, 0);
        return seen;
    }

    fake_pages fake;
    const page_source system{};
    const page_source* source;
    zeroed<page_map> map;
    options settings;
    metadata records{source};
    ceiling limits;
    page_tier pages{source, map.get(), &records, &settings, &limits};
};

TEST_F(own_heaps, have_objects_of_every_size_and_alignment) {
    heap_of_test h(*this);
    for (size_t alignment = 16; alignment <= 64 * mebibyte; alignment *= 2)
        for (const size_t size : {size_t{0}, size_t{1}, size_t{16}, size_t{100}, size_t{5000}, size_t{70'000},
                                  size_t{3'000'000}}) {
            void* p = h->allocate(size, alignment);
            ASSERT_NE(p, nullptr) << size << " aligned to " << alignment;
            EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % alignment, 0u);
            EXPECT_GE(usable(p), size);
            memset(p, 0xee, size);
            EXPECT_EQ(own_heap::of(span_of(p)), h.get());
            release(p);
        }
    EXPECT_EQ(h->counts().objects, 0u);
    EXPECT_EQ(h->allocate(SIZE_MAX / 4), nullptr);
    EXPECT_EQ(h->allocate(1, size_t{1} << 46), nullptr);
}

TEST_F(own_heaps, have_zeros_where_they_were_asked_for_whatever_was_there) {
    heap_of_test h(*this);
    for (const size_t size : {size_t{40}, size_t{3000}, size_t{100'000}, size_t{2'500'000}})
        for (int i = 0; i < 20; ++i) {
            auto* p = static_cast<char*>(h->allocate_zeroed(size));
            for (size_t at = 0; at < size; ++at)
                ASSERT_EQ(p[at], 0);
            memset(p, 0xff, usable(p));
            release(p);
        }
}

TEST_F(own_heaps, keep_the_content_of_what_changes_its_size) {
    heap_of_test h(*this);
    std::mt19937 random(5);
    for (int i = 0; i < 300; ++i) {
        size_t size = random_size(random) + 1;
        auto* p = static_cast<unsigned char*>(h->allocate(size));
        for (int step = 0; step < 6; ++step) {
            const auto fill = static_cast<unsigned char>(i + step);
            memset(p, fill, size);
            const size_t next = random() % 3 == 0 ? size + random() % 100'000 : random_size(random) + 1;
            p = static_cast<unsigned char*>(reallocate(p, next));
            ASSERT_NE(p, nullptr);
            ASSERT_GE(usable(p), next);
            const size_t kept = std::min(size, next);
            ASSERT_TRUE(p[0] == fill && p[kept / 2] == fill && p[kept - 1] == fill);
            size = next;
        }
        ASSERT_EQ(h->counts().objects, 1u);
        release(p);
    }
    EXPECT_EQ(h->counts().live_bytes, 0u);
}

TEST_F(own_heaps, let_a_large_object_grow_where_it_is_if_there_is_room) {
    heap_of_test h(*this);
    void* p = h->allocate(200 * kibibyte);
    const size_t before = h->counts().held_bytes;
    EXPECT_EQ(reallocate(p, 300 * kibibyte), p);
    EXPECT_GT(h->counts().held_bytes, before);
    EXPECT_GE(h->counts().live_bytes, 300 * kibibyte);
    EXPECT_EQ(reallocate(p, 290 * kibibyte), p);
    fake.refuse(system_call::reserve);
    fake.refuse(system_call::commit);
    fake.refuse(system_call::map);
    EXPECT_EQ(reallocate(p, 300 * mebibyte), nullptr) << "and it is as it was";
    EXPECT_GE(usable(p), 300 * kibibyte);
    release(p);
}

TEST_F(own_heaps, share_no_page_with_each_other_or_with_what_is_not_theirs) {
    slab_shards shards;
    slab_tier mallocs{&shards, &pages, map.get(), &records};
    heap_of_test a(*this);
    heap_of_test b(*this);
    std::map<uintptr_t, int> of_page;
    std::mt19937 random(7);
    const auto note = [&](const void* p, size_t size, int who) {
        const auto at = reinterpret_cast<uintptr_t>(p);
        for (uintptr_t page = at / 4096; page <= (at + size - 1) / 4096; ++page)
            ASSERT_EQ(of_page.emplace(page, who).first->second, who);
    };
    for (int i = 0; i < 5000; ++i) {
        const size_t size = random_size(random) % 300'000 + 1;
        const auto who = static_cast<int>(random() % 3);
        void* p = nullptr;
        if (who == 2)
            ASSERT_EQ(mallocs.take(class_holding(size % 5000 + 1), &p + 1, 1), 1u);
        else
            p = (who == 0 ? a : b)->allocate(size);
        ASSERT_NE(p, nullptr);
        note(p, usable(p), who);
        EXPECT_EQ(own_heap::of(span_of(p)), who == 0 ? a.get() : who == 1 ? b.get() : nullptr);
    }
}

TEST_F(own_heaps, have_exactly_what_a_model_of_them_has) {
    const size_t before = used();
    {
        heap_of_test h(*this);
        std::mt19937 random(11);
        std::map<char*, std::pair<size_t, char>> model;
        for (int i = 0; i < 30'000; ++i) {
            if (model.size() < 800 && random() % 100 < 55) {
                const size_t size = random_size(random);
                auto* p = static_cast<char*>(h->allocate(size, size_t{16} << random() % 6));
                ASSERT_NE(p, nullptr);
                const char fill = static_cast<char>(random());
                if (size != 0)
                    p[0] = p[size - 1] = fill;
                ASSERT_TRUE(model.emplace(p, std::pair(size, fill)).second);
            } else if (!model.empty()) {
                auto one = model.upper_bound(reinterpret_cast<char*>(random()));
                one = one == model.end() || random() % 2 == 0 ? model.begin() : one;
                std::advance(one, random() % std::min<size_t>(model.size(), 5) % 2);
                one = one == model.end() ? model.begin() : one;
                const auto [p, what] = *one;
                const auto [size, fill] = what;
                ASSERT_TRUE(size == 0 || (p[0] == fill && p[size - 1] == fill));
                model.erase(one);
                release(p);
            }
            if (i % 3000 == 0) {
                const objects seen = walked(*h.get());
                ASSERT_EQ(seen.size(), model.size());
                size_t live = 0;
                for (const auto& [p, what] : model) {
                    const auto found = seen.find(p);
                    ASSERT_TRUE(found != seen.end() && found->second >= what.first);
                    live += found->second;
                }
                const own_heap_counts n = h->counts();
                EXPECT_EQ(n.objects, model.size());
                EXPECT_EQ(n.live_bytes, live);
                EXPECT_GE(n.held_bytes, live);
                EXPECT_EQ(n.held_bytes, used() - before);
                bool left = false;
                h->give_holes_back(0, left);
            }
        }
    }
    EXPECT_EQ(used(), before) << "all of it is gone with the heap";
    EXPECT_EQ(wrong_frees, 0);
}

TEST_F(own_heaps, are_walked_in_every_class) {
    heap_of_test h(*this);
    std::set<void*> all;
    for (unsigned i = 1; i <= slab_classes; ++i)
        for (int n = 0; n < 3; ++n)
            all.insert(h->allocate(object_size(size_class{static_cast<uint8_t>(i)})));
    for (const size_t size : {size_t{100'000}, size_t{2'000'000}, size_t{9'000'000}})
        all.insert(h->allocate(size));
    const objects seen = walked(*h.get());
    EXPECT_EQ(seen.size(), all.size());
    for (const auto& [p, size] : seen)
        EXPECT_TRUE(all.contains(p));
}

TEST_F(own_heaps, end_a_walk_when_the_visitor_says_so_and_let_it_free_what_it_is_told_of) {
    heap_of_test h(*this);
    for (int i = 0; i < 5000; ++i)
        ASSERT_NE(h->allocate(static_cast<size_t>(i % 50) * 40 + (i % 100 == 0 ? 100'000 : 0)), nullptr);
    int count = 0;
    EXPECT_EQ(h->walk([](void*, size_t, void* n) { return ++*static_cast<int*>(n) == 17 ? 42 : 0; }, &count),
              42);
    EXPECT_EQ(count, 17);
    struct context {
        own_heaps* test;
        size_t told = 0;
    } all{this};
    const auto free_it = [](void* object, size_t, void* c) {
        auto* to = static_cast<context*>(c);
        ++to->told;
        to->test->release(object);
        return 0;
    };
    EXPECT_EQ(h->walk(free_it, &all), 0);
    EXPECT_EQ(all.told, 5000u);
    EXPECT_EQ(h->counts().objects, 0u);
    EXPECT_EQ(h->walk(free_it, &all), 0);
    EXPECT_EQ(all.told, 5000u);
}

TEST_F(own_heaps, that_come_and_go_need_no_more_records) {
    const auto round = [&](unsigned seed) {
        heap_of_test h(*this);
        std::mt19937 random(seed);
        for (int i = 0; i < 2000; ++i)
            ASSERT_NE(h->allocate(random_size(random) % 100'000), nullptr);
        walked(*h.get());
    };
    round(1);
    const size_t before = records.mapped_bytes();
    for (unsigned i = 0; i < 100; ++i)
        round(1);
    EXPECT_LE(records.mapped_bytes(), before + 256 * kibibyte);
    EXPECT_EQ(used(), 0u);
}

TEST_F(own_heaps, notice_what_is_freed_twice) {
    heap_of_test h(*this);
    void* first = h->allocate(100);
    void* second = h->allocate(100);
    release(first);
    release(first);
    EXPECT_EQ(wrong_frees, 1);
    release(second);
}

TEST_F(own_heaps, lose_nothing_whichever_call_of_the_system_is_refused) {
    for (unsigned n = 1; n < 60; ++n) {
        {
            heap_of_test h(*this);
            fake.refuse_nth(n);
            std::vector<void*> all;
            for (const size_t size :
                 {size_t{50}, size_t{5000}, size_t{100'000}, size_t{20'000'000}, size_t{40}})
                for (int i = 0; i < 4; ++i)
                    if (void* p = h->allocate(size))
                        all.push_back(p);
            ASSERT_EQ(h->counts().objects, all.size());
            for (size_t i = 0; i < all.size(); i += 2)
                release(all[i]);
            fake.refuse_nth(0);
            EXPECT_NE(h->allocate(100), nullptr);
        }
        EXPECT_EQ(used(), 0u) << n;
        static_cast<void>(pages.purge_all());
        pages.surrender();
    }
}

// ---- threads

class heap_threads : public own_heaps {
protected:
    using own_heaps::own_heaps;

    void work(own_heap& h, unsigned number, int rounds) {
        std::mt19937 random(number);
        std::vector<uint64_t*> mine;
        for (int i = 0; i < rounds; ++i) {
            const size_t size = random_size(random) % 80'000 + 16;
            if (mine.size() < 100 && random() % 2 == 0) {
                auto* p = static_cast<uint64_t*>(h.allocate(size));
                ASSERT_NE(p, nullptr);
                p[0] = reinterpret_cast<uintptr_t>(p);
                mine.push_back(p);
            } else if (!mine.empty()) {
                uint64_t* p = mine.back();
                mine.pop_back();
                ASSERT_EQ(p[0], reinterpret_cast<uintptr_t>(p)) << "two owners";
                if (random() % 4 == 0) {
                    p = static_cast<uint64_t*>(reallocate(p, size));
                    ASSERT_NE(p, nullptr);
                }
                p[0] = 0;
                release(p);
            }
            if (i % 30 == 0) {
                const std::lock_guard guard(exchange);
                std::swap(mine, offered);
            }
        }
        const std::lock_guard guard(exchange);
        offered.insert(offered.end(), mine.begin(), mine.end());
    }
    std::mutex exchange;
    std::vector<uint64_t*> offered;
};

TEST_F(heap_threads, free_each_others_objects_while_others_look) {
    heap_of_test h(*this);
    std::atomic<bool> stop{false};
    std::thread looker([&] {
        while (!stop) {
            bool left = false;
            h->give_holes_back(1, left);
            static_cast<void>(h->counts());
            size_t told = 0;
            static_cast<void>(h->walk(
                [](void* object, size_t size, void* n) {
                    EXPECT_TRUE(object != nullptr && size != 0);
                    ++*static_cast<size_t*>(n);
                    return 0;
                },
                &told));
            EXPECT_LT(told, 5000u);
        }
    });
    std::vector<std::thread> all;
    for (unsigned t = 1; t <= 4; ++t)
        all.emplace_back([&, t] { work(*h.get(), t, 4000); });
    for (std::thread& t : all)
        t.join();
    stop = true;
    looker.join();
    EXPECT_EQ(h->counts().objects, offered.size());
    for (uint64_t* p : offered)
        release(p);
    EXPECT_EQ(h->counts().objects, 0u);
    EXPECT_EQ(h->counts().live_bytes, 0u);
    EXPECT_EQ(wrong_frees, 0);
}

class heap_children : public heap_threads {
protected:
    heap_children() : heap_threads(source_of_pages::system) {}
};

TEST_F(heap_children, have_heaps_whatever_the_threads_of_the_parent_were_doing) {
    heap_of_test h(*this);
    std::atomic<bool> stop{false};
    std::vector<std::thread> all;
    for (unsigned t = 1; t <= 2; ++t)
        all.emplace_back([&, t] {
            for (unsigned i = 0; !stop; ++i)
                work(*h.get(), t + 10 * i, 100);
        });
    all.emplace_back([&] {
        while (!stop)
            static_cast<void>(h->walk([](void*, size_t, void*) { return 0; }, nullptr));
    });
    for (int i = 0; i < 20; ++i)
        in_child(
            [&] {
                // Not with memory of malloc's: a sanitizer's is not repaired in a child.
                void* mine[1000];
                for (size_t n = 0; n < 1000; ++n) {
                    mine[n] = h->allocate(n * 60);
                    ASSERT_NE(mine[n], nullptr);
                    memset(mine[n], 1, n * 60);
                }
                for (void* p : mine)
                    release(p);
                EXPECT_EQ(h->walk([](void*, size_t, void*) { return 0; }, nullptr), 0);
                static_cast<void>(h->counts());
                h->destroy();
                EXPECT_EQ(wrong_frees, 0);
            },
            forking::by_libc);
    stop = true;
    for (std::thread& t : all)
        t.join();
}

TEST_F(own_heaps, notice_that_an_object_is_reallocated_which_was_freed) {
    heap_of_test h(*this);
    void* p = h->allocate(100);
    void* other = h->allocate(100); // or the slab would be gone
    release(p);
    const int before = wrong_frees;
    static_cast<void>(reallocate(p, 50));
    EXPECT_GT(wrong_frees, before) << "twice: nothing ends the process here";
    release(other);
}

} // namespace
} // namespace lowtide::test
