// Guarded regions: what was freed isn't accessible; and regions of several threads at once, guarded ones too.
#include "pool/region.h"

#include "pool/quarantine.h"
#include "support/emulated.h"
#include "support/region_test.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace lowtide::test {
namespace {

constexpr size_t mib = size_t{1} << 20;

bool faulted(int status) {
    return sanitized || emulated || testing::KilledBySignal(SIGSEGV)(status);
}

volatile char* object_of(lowtide_region* r, size_t size) {
    auto* object = static_cast<volatile char*>(lowtide_region_alloc(r, size));
    object[0] = 'o';
    object[size - 1] = 'o';
    return object;
}

TEST(guarded_region, works_as_others_do) {
    const owned_region r = create_owned({.warm_chunks = 4, .guarded = 1});
    for (int round = 0; round < 20; ++round) {
        std::vector<std::pair<char*, size_t>> objects;
        for (size_t size = 1; size < 300'000; size = size * 3 / 2 + 1) {
            auto* p = static_cast<char*>(lowtide_region_alloc(r.get(), size));
            ASSERT_NE(p, nullptr);
            std::memset(p, static_cast<int>(size), size);
            objects.emplace_back(p, size);
        }
        for (const auto& [p, size] : objects)
            ASSERT_TRUE(std::all_of(p, p + size, [s = static_cast<char>(size)](char c) { return c == s; }));
        EXPECT_EQ(lowtide_region_free(r.get(), objects.back().first), 1);
        EXPECT_STREQ(lowtide_region_printf(r.get(), "%d", round), std::to_string(round).c_str());
        lowtide_region* child = create(r.get());
        object_of(child, 100);
        lowtide_region_reset(r.get());
        EXPECT_EQ(stats_of(r.get()).chunks, 1u) << "nothing stays warm";
        EXPECT_EQ(stats_of(r.get()).children, 0u);
    }
}

TEST(guarded_region, is_no_matter_of_its_parent_or_children) {
    const owned_region guarded = create_owned({.guarded = 1});
    lowtide_region* plain = create(guarded.get());
    EXPECT_GT(stats_of(plain).free, 3000u);
    EXPECT_EQ(stats_of(guarded.get()).free, 0u) << "where the region itself lies there are no objects";
}

TEST(guarded_region_death, of_an_object_used_after_reset) {
    for (const size_t size : {size_t{1}, size_t{100}, size_t{5000}, size_t{60'000}, mib}) {
        EXPECT_EXIT(
            {
                lowtide_region* r = create(nullptr, {.warm_chunks = 8, .guarded = 1});
                volatile char* object = object_of(r, size);
                lowtide_region_reset(r);
                object[0] = 'x';
            },
            faulted, "")
            << size;
    }
}

TEST(guarded_region_death, of_an_object_read_after_destroy) {
    for (const size_t size : {size_t{1}, size_t{100}, size_t{5000}, size_t{60'000}, mib}) {
        EXPECT_EXIT(
            {
                lowtide_region* r = create(nullptr, {.guarded = 1});
                volatile char* object = object_of(r, size);
                lowtide_region_destroy(r);
                (void)object[size - 1];
            },
            faulted, "")
            << size;
    }
}

TEST(guarded_region_death, of_an_object_used_after_the_parents_reset) {
    EXPECT_EXIT(
        {
            lowtide_region* top = create();
            volatile char* object = object_of(create(top, {.guarded = 1}), 100);
            lowtide_region_reset(top);
            object[0] = 'x';
        },
        faulted, "");
}

TEST(guarded_region_death, of_a_block_used_after_free) {
    EXPECT_EXIT(
        {
            lowtide_region* r = create(nullptr, {.guarded = 1});
            volatile char* object = object_of(r, 100'000);
            lowtide_region_free(r, const_cast<char*>(object));
            object[50'000] = 'x';
        },
        faulted, "");
}

TEST(guarded_region_death, though_much_was_freed_meanwhile) {
    EXPECT_EXIT(
        {
            lowtide_region* r = create(nullptr, {.guarded = 1});
            volatile char* object = object_of(r, 100);
            lowtide_region_reset(r);
            for (int i = 0; i < 1000; ++i) {
                object_of(r, 100'000);
                lowtide_region_reset(r);
            }
            object[0] = 'x';
        },
        faulted, "");
}

TEST(guarded_region_death, of_every_region_where_all_are_guarded) {
    EXPECT_EXIT(
        {
            guard_all_regions();
            lowtide_region* r = lowtide_region_create(nullptr, nullptr);
            volatile char* object = object_of(r, 100);
            lowtide_region_reset(r);
            object[0] = 'x';
        },
        faulted, "");
}

// ---- what it takes

struct address_space {
    size_t mappings = 0;
    size_t inaccessible_bytes = 0;
};

address_space look() {
    address_space seen;
    FILE* maps = std::fopen("/proc/self/maps", "re");
    char line[4096];
    while (std::fgets(line, sizeof(line), maps) != nullptr) {
        unsigned long from = 0;
        unsigned long to = 0;
        char access[5] = "";
        if (std::sscanf(line, "%lx-%lx %4s", &from, &to, access) != 3)
            continue;
        ++seen.mappings;
        if (access[0] == '-')
            seen.inaccessible_bytes += to - from;
    }
    std::fclose(maps);
    return seen;
}

constexpr size_t most_kept = size_t{1} << 30;

TEST(guarded_region, after_ten_thousand_resets_has_a_bounded_number_of_mappings) {
    const address_space before = look();
    const owned_region r = create_owned({.guarded = 1});
    size_t peak = 0;
    for (int i = 0; i < 10'000; ++i) {
        object_of(r.get(), 100);
        object_of(r.get(), i % 3 == 0 ? 100'000 : 10'000);
        lowtide_region_reset(r.get());
        if (i % 500 == 0)
            peak = std::max(peak, look().mappings);
    }
    const address_space after = look();
    EXPECT_LE(std::max(peak, after.mappings), before.mappings + 4096 + 100);
    EXPECT_LE(after.inaccessible_bytes, before.inaccessible_bytes + most_kept + mib);
}

TEST(guarded_region, keeps_a_gibibyte_of_addresses_at_most) {
    const address_space before = look();
    const owned_region r = create_owned({.guarded = 1});
    for (int i = 0; i < 60; ++i) {
        object_of(r.get(), 50 * mib);
        lowtide_region_reset(r.get());
    }
    // Other tests' are among them, and these take their place.
    EXPECT_LE(look().inaccessible_bytes, before.inaccessible_bytes + most_kept + mib);
    for (const size_t size : {3 * most_kept, most_kept + 1, 1500 * mib}) {
        lowtide_region_free(r.get(), const_cast<char*>(object_of(r.get(), size)));
        EXPECT_LE(look().inaccessible_bytes, before.inaccessible_bytes + most_kept + mib) << size;
    }
}

// ---- threads

void live(unsigned number, int guarded) {
    std::mt19937 random(number);
    const owned_region top = create_owned({.warm_chunks = 1, .guarded = guarded});
    long ended = 0;
    long made = 0;
    for (int i = 0; i < 300; ++i) {
        lowtide_region* connection = create(top.get(), {.limit = 10 * mib, .guarded = guarded});
        for (int k = 0; k < 4; ++k) {
            lowtide_region* request = create(connection, {.guarded = guarded});
            at_end(request, [&ended] { ++ended; });
            ++made;
            for (int n = 0; n < 30; ++n) {
                const size_t size = random() % (n == 0 ? 100'000 : 400) + 1;
                auto* object = static_cast<char*>(lowtide_region_alloc(request, size));
                ASSERT_NE(object, nullptr);
                std::memset(object, static_cast<int>(number), size);
                ASSERT_EQ(object[size - 1], static_cast<char>(number));
            }
        }
        if (i % 2 == 0)
            lowtide_region_destroy(connection);
        if (i % 20 == 0)
            lowtide_region_reset(top.get());
    }
    lowtide_region_reset(top.get());
    EXPECT_EQ(ended, made);
}

TEST(region_threads, have_trees_of_their_own) {
    std::vector<std::thread> all;
    for (unsigned t = 1; t <= 4; ++t)
        all.emplace_back(live, t, 0);
    for (std::thread& t : all)
        t.join();
}

TEST(region_threads, have_guarded_trees_of_their_own) {
    std::vector<std::thread> all;
    for (unsigned t = 1; t <= 4; ++t)
        all.emplace_back(live, t, t % 4 == 0 ? 0 : 1);
    for (std::thread& t : all)
        t.join();
}

TEST(region_threads, may_hand_a_tree_over) {
    owned_region r = create_owned({.guarded = 1});
    for (int i = 0; i < 50; ++i)
        std::thread([&r] {
            object_of(create(r.get()), 1000);
            object_of(r.get(), 100'000);
            lowtide_region_reset(r.get());
        }).join();
    std::thread([&r] { r.reset(); }).join();
}

} // namespace
} // namespace lowtide::test
