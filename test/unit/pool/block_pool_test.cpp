// Block pools on fake pages, with a clock and refusals that the tests inject; under both owner policies.
#include "base/print.h"
#include "support/pool_test.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <string>

namespace lowtide::test {
namespace {

class block_pools : public pool_test {};
INSTANTIATE_TEST_SUITE_P(, block_pools, testing::ValuesIn(policies()), name_of);

constexpr size_t sizes[] = {4 * kibibyte,   8 * kibibyte, 12 * kibibyte,   64 * kibibyte,   260 * kibibyte,
                            512 * kibibyte, 1 * mebibyte, 1028 * kibibyte, 1536 * kibibyte, 2 * mebibyte,
                            3 * mebibyte,   4 * mebibyte, 6 * mebibyte,    64 * mebibyte};

constexpr size_t promised_alignment(size_t size) {
    if (size % block_size == 0)
        return block_size;
    return is_power_of_two(size) ? size : 4 * kibibyte;
}

std::string printed(block_pool& p) {
    std::string text;
    char buffer[512];
    printer out(
        buffer,
        [](void* to, const char* part, size_t bytes) noexcept {
            static_cast<std::string*>(to)->append(part, bytes);
        },
        &text);
    p.print(out);
    out.flush();
    return text;
}

// ---- blocks

TEST_P(block_pools, hand_out_blocks_that_are_distinct_and_aligned_as_promised) {
    for (const size_t size : sizes) {
        block_pool& p = make(size);
        const size_t count = std::min<size_t>(700, 200 * mebibyte / size);
        const std::vector<void*> all = take_some(p, count);
        std::set<uintptr_t> places;
        for (void* block : all) {
            const auto at = reinterpret_cast<uintptr_t>(block);
            EXPECT_EQ(at % promised_alignment(size), 0u) << size;
            places.insert(at);
            // Both ends can be written.
            memset(block, 0x5a, 64);
            memset(static_cast<char*>(block) + size - 64, 0xa5, 64);
        }
        ASSERT_EQ(places.size(), count);
        uintptr_t before = 0;
        for (const uintptr_t at : places) {
            EXPECT_GE(at, before);
            before = at + size;
        }
        EXPECT_EQ(p.counts().taken, count);
        give(p, all);
        EXPECT_EQ(p.counts().taken, 0u);
        EXPECT_TRUE(p.end());
        EXPECT_EQ(used(), 0u) << size;
        pools.clear();
    }
}

TEST_P(block_pools, hand_out_again_what_was_given_back) {
    block_pool& p = make(64 * kibibyte);
    const std::vector<void*> first = take_some(p, 100);
    give(p, first);
    const std::set<void*> known(first.begin(), first.end());
    const size_t before = p.counts().blocks;
    const std::vector<void*> second = take_some(p, 100);
    EXPECT_EQ(p.counts().blocks, before) << "nothing new was made";
    for (void* block : second)
        EXPECT_TRUE(known.contains(block));
    give(p, second);
}

TEST_P(block_pools, keep_what_is_written_until_a_block_is_given_back) {
    block_pool& p = make(12 * kibibyte);
    std::mt19937 random(1);
    std::vector<std::pair<char*, char>> mine;
    for (int i = 0; i < 20'000; ++i) {
        if (mine.size() < 300 && random() % 2 == 0) {
            auto* block = static_cast<char*>(take(p));
            const char fill = static_cast<char>(random());
            memset(block, fill, 12 * kibibyte);
            mine.emplace_back(block, fill);
        } else if (!mine.empty()) {
            std::swap(mine[random() % mine.size()], mine.back());
            const auto [block, fill] = mine.back();
            ASSERT_TRUE(block[0] == fill && block[5000] == fill && block[12 * kibibyte - 1] == fill);
            p.give(block);
            mine.pop_back();
        }
        if (i % 1000 == 0)
            p.trim();
        if (i % 10 == 0)
            tick_for(p, 100);
    }
    for (const auto& [block, fill] : mine)
        p.give(block);
}

// ---- how many

TEST_P(block_pools, have_exactly_as_many_blocks_as_they_may) {
    for (const size_t size : {size_t{4} * kibibyte, size_t{260} * kibibyte, size_t{2} * mebibyte}) {
        for (const size_t most : {1u, 2u, 7u, 9u, 20u}) {
            block_pool& p = make(size, most);
            for (int round = 0; round < 3; ++round) {
                const std::vector<void*> all = take_some(p, most);
                EXPECT_EQ(refused(p), take_result::exhausted);
                EXPECT_EQ(p.counts().blocks, most);
                p.give(all.back());
                EXPECT_EQ(take(p), all.back());
                give(p, all);
                if (round == 1)
                    p.trim();
            }
            EXPECT_EQ(p.counts().refused, 3u);
            EXPECT_TRUE(p.end());
            pools.clear();
        }
    }
    EXPECT_EQ(used(), 0u);
}

TEST_P(block_pools, answer_at_once_when_told_not_to_make_or_wait_for_a_block) {
    block_pool& p = make(8 * kibibyte, 3);
    take_result result{};
    EXPECT_EQ(p.try_take("t", result), nullptr);
    EXPECT_EQ(result, take_result::not_at_hand);
    EXPECT_EQ(p.counts().blocks, 0u) << "the system was not asked";
    void* block = take(p);
    p.give(block);
    EXPECT_EQ(p.try_take("t", result), block);
    EXPECT_EQ(result, take_result::ok);
    p.give(block);
    give(p, take_some(p, 3));
    const std::vector<void*> all = take_some(p, 3);
    EXPECT_EQ(p.take_within("t", 0, result), nullptr);
    EXPECT_EQ(result, take_result::exhausted);
    EXPECT_EQ(p.counts().waits, 0u);
    give(p, all);
}

// ---- what goes back

TEST_P(block_pools, give_back_what_is_free_for_its_time_and_keep_the_low_watermark) {
    for (const size_t size : {size_t{64} * kibibyte, size_t{2} * mebibyte}) {
        pool_options o;
        o.block_size = size;
        o.low_watermark = 5;
        o.return_ms = 3000;
        block_pool& p = make(o);
        give(p, take_some(p, 40));
        tick_for(p, 2500);
        EXPECT_EQ(p.counts().returned, 0u) << "not yet";
        tick_for(p, 2500);
        EXPECT_EQ(p.counts().returned, 35u);
        EXPECT_EQ(p.counts().ready, 5u);
        EXPECT_EQ(p.counts().cached, 0u);
        tick_for(p, 20'000);
        EXPECT_EQ(p.counts().ready, 5u) << "for ever";
        EXPECT_FALSE(p.tick()) << "there is nothing to come back for";
        EXPECT_TRUE(p.end());
        pools.clear();
    }
    EXPECT_EQ(used(), 0u);
}

// Below the blocks that a thread uses all the time are those that it needed once.
TEST_P(block_pools, give_back_what_rests_under_blocks_that_do_not) {
    attended = true;
    block_pool& p = make(2 * mebibyte);
    give(p, take_some(p, 8));
    for (int i = 0; i < 30; ++i) {
        fake.advance(100);
        const std::vector<void*> busy = take_some(p, 2);
        static_cast<void>(p.tick());
        give(p, busy);
    }
    EXPECT_EQ(p.counts().returned, 6u);
    EXPECT_EQ(p.counts().cached + p.counts().ready, 2u);
}

TEST_P(block_pools, give_back_what_is_free_in_the_calls_where_nobody_else_looks) {
    pool_options o;
    o.block_size = 1 * mebibyte;
    o.max_blocks = 40;
    block_pool& p = make(o);
    give(p, take_some(p, 40));
    for (int i = 0; i < 40; ++i) {
        fake.advance(1000);
        const std::vector<void*> some = take_some(p, 20);
        give(p, some);
    }
    EXPECT_GE(p.counts().returned, 15u);
}

TEST_P(block_pools, cache_more_where_somebody_looks_for_what_rests) {
    block_pool& p = make(2 * mebibyte);
    give(p, take_some(p, 40));
    const size_t alone = p.counts().cached;
    EXPECT_LE(alone, 8u);
    attended = true;
    const std::vector<void*> some = take_some(p, 2);
    static_cast<void>(p.tick());
    give(p, some);
    fake.advance(500);
    static_cast<void>(p.tick()); // which makes the magazine larger, and what is in it stays there
    EXPECT_EQ(p.counts().cached, alone);
    give(p, take_some(p, 40));
    EXPECT_GT(p.counts().cached, 8u);
    EXPECT_LE(p.counts().cached, 32u);
    attended = false;
    tick_for(p, 3000);
    EXPECT_EQ(p.counts().cached, 0u);
    give(p, take_some(p, 40));
    EXPECT_LE(p.counts().cached, 8u) << "and smaller again";
}

TEST_P(block_pools, hold_no_more_free_blocks_than_the_high_watermark) {
    for (const size_t high : {1u, 3u, 10u, 200u}) {
        pool_options o;
        o.block_size = 16 * kibibyte;
        o.high_watermark = high;
        block_pool& p = make(o);
        const std::vector<void*> all = take_some(p, 500);
        for (void* block : all) {
            p.give(block);
            const pool_counts n = p.counts();
            ASSERT_LE(n.ready + n.cached, high);
        }
        EXPECT_GE(p.counts().returned, 500 - high);
        EXPECT_TRUE(p.end());
        pools.clear();
    }
}

TEST_P(block_pools, trim_all_but_the_low_watermark_also_from_the_caches) {
    pool_options o;
    o.block_size = 32 * kibibyte;
    o.low_watermark = 3;
    block_pool& p = make(o);
    const std::vector<void*> all = take_some(p, 100);
    for (void* block : all)
        memset(block, 1, o.block_size);
    const size_t before = fake_pages::resident_bytes(reinterpret_cast<uintptr_t>(all[0]), o.block_size);
    EXPECT_EQ(before, o.block_size);
    give(p, all);
    EXPECT_EQ(p.trim(), 97 * o.block_size);
    EXPECT_EQ(p.trim(), 0u);
    size_t resident = 0;
    for (void* block : all)
        resident += fake_pages::resident_bytes(reinterpret_cast<uintptr_t>(block), o.block_size);
    EXPECT_EQ(resident, 3 * o.block_size);
}

TEST_P(block_pools, give_address_space_back_to_the_page_tier_when_nothing_of_it_is_used) {
    for (const size_t size : sizes) {
        block_pool& p = make(size);
        const std::vector<void*> all = take_some(p, std::max<size_t>(1, 16 * mebibyte / size));
        EXPECT_GT(used(), 0u);
        give(p, all);
        p.trim();
        EXPECT_EQ(used(), 0u) << size;
        EXPECT_EQ(p.counts().blocks, 0u);
        void* again = take(p);
        EXPECT_NE(again, nullptr);
        p.give(again);
        EXPECT_TRUE(p.end());
        pools.clear();
    }
}

// A block that nobody took, in memory that somebody else has written before: it is not zero.
TEST_P(block_pools, do_not_say_of_memory_that_it_is_zero_when_it_was_never_purged) {
    for (const size_t size : {size_t{4} * kibibyte, size_t{260} * kibibyte, size_t{1028} * kibibyte}) {
        const page_run before = pages.allocate({slices_per_block}, block_size);
        memset(reinterpret_cast<void*>(before.base), 0xee, block_size);
        ASSERT_TRUE(pages.deallocate(before.base, {slices_per_block}));
        block_pool& p = make(size);
        p.give(take(p));
        p.trim();
        EXPECT_EQ(p.counts().blocks, 0u);
        const page_run after = pages.allocate({slices_per_block}, block_size);
        ASSERT_EQ(after.base, before.base);
        const auto* bytes = reinterpret_cast<const char*>(after.base);
        const bool zero = std::all_of(bytes, bytes + block_size, [](char c) { return c == 0; });
        EXPECT_TRUE(zero || !after.zeroed) << size;
        ASSERT_TRUE(pages.deallocate(after.base, {slices_per_block}));
    }
}

TEST_P(block_pools, that_come_and_go_need_no_more_records) {
    const auto round = [&](size_t size) {
        block_pool& p = make(size);
        give(p, take_some(p, 600));
        p.trim();
        give(p, take_some(p, 600));
        EXPECT_TRUE(p.end());
        p.dispose();
        pools.clear();
    };
    for (const size_t size : {size_t{4} * kibibyte, size_t{64} * kibibyte, size_t{1} * mebibyte}) {
        round(size);
        const size_t before = records.mapped_bytes();
        for (int i = 0; i < 50; ++i)
            round(size);
        EXPECT_EQ(records.mapped_bytes(), before) << size;
    }
}

// ---- what is ready from the beginning

TEST_P(block_pools, make_blocks_that_are_in_memory_beforehand) {
    pool_options o;
    o.block_size = 256 * kibibyte;
    o.max_blocks = 10;
    block_pool& p = make(o);
    ASSERT_TRUE(p.populate(10));
    EXPECT_EQ(p.counts().ready, 10u);
    const size_t reserved = fake.count(system_call::commit);
    for (void* block : take_some(p, 10)) {
        EXPECT_EQ(fake_pages::resident_bytes(reinterpret_cast<uintptr_t>(block), o.block_size), o.block_size);
        p.give(block);
    }
    EXPECT_EQ(fake.count(system_call::commit), reserved);
    fake.refuse(system_call::populate);
    block_pool& touched = make(256 * kibibyte);
    ASSERT_TRUE(touched.populate(3)) << "where the kernel doesn't know of it";
    void* block = take(touched);
    EXPECT_EQ(fake_pages::resident_bytes(reinterpret_cast<uintptr_t>(block), o.block_size), o.block_size);
    touched.give(block);
}

TEST_P(block_pools, are_told_about_huge_pages_as_the_options_say) {
    fake.refuse(system_call::fill, false);
    const page_run small = pages.allocate({3 * slices_per_block}, block_size); // what a small process has
    block_pool& huge = make(2 * mebibyte);
    void* block = take(huge);
    EXPECT_EQ(fake.huge_blocks(), 1u);
    huge.give(block);
    huge.trim();
    EXPECT_EQ(fake.huge_blocks(), 0u);
    pool_options o;
    for (const size_t size : {size_t{2} * mebibyte, size_t{16} * kibibyte, size_t{6} * mebibyte}) {
        o.block_size = size;
        o.huge_pages = false;
        block_pool& p = make(o);
        const size_t before = fake.plain_blocks();
        block = take(p);
        EXPECT_EQ(fake.huge_blocks(), 0u);
        EXPECT_GE(fake.plain_blocks(), before);
        p.give(block);
    }
    ASSERT_TRUE(pages.deallocate(small.base, {3 * slices_per_block}));
}

// ---- refusals

TEST_P(block_pools, without_memory_refuse_ask_others_to_give_some_back_and_go_on_when_there_is) {
    block_pool& p = make(2 * mebibyte);
    void* first = take(p);
    fake.refuse(system_call::reserve);
    fake.refuse(system_call::commit);
    fake.refuse(system_call::map);
    std::vector<void*> all;
    take_result result{};
    while (void* block = p.take("t", result))
        all.push_back(block);
    EXPECT_EQ(result, take_result::no_memory);
    EXPECT_EQ(reliefs, 1u);
    EXPECT_EQ(p.counts().refused, 1u);
    EXPECT_EQ(p.take_within("t", -1, result), nullptr) << "nobody waits for memory";
    EXPECT_EQ(result, take_result::no_memory);
    p.give(first);
    EXPECT_EQ(take(p), first);
    fake.refuse(system_call::reserve, false);
    fake.refuse(system_call::commit, false);
    fake.refuse(system_call::map, false);
    all.push_back(take(p));
    give(p, all);
    p.give(first);
    EXPECT_TRUE(p.end());
    EXPECT_EQ(used(), 0u);
    pools.clear();
}

TEST_P(block_pools, lose_nothing_whichever_call_of_the_system_is_refused) {
    for (const size_t size : {size_t{12} * kibibyte, size_t{1536} * kibibyte, size_t{2} * mebibyte}) {
        for (unsigned n = 1; n < 40; ++n) {
            pool_options o;
            o.block_size = size;
            o.max_blocks = 300;
            auto p = std::make_unique<block_pool>(surroundings());
            fake.refuse_nth(n);
            if (!p->start(o)) {
                EXPECT_TRUE(fake.refused_nth());
                fake.refuse_nth(0);
                continue;
            }
            static_cast<void>(p->populate(3));
            for (int round = 0; round < 2; ++round) {
                std::vector<void*> all;
                take_result result{};
                for (int i = 0; i < 20; ++i)
                    if (void* block = p->take("t", result))
                        all.push_back(block);
                give(*p, all);
                p->trim();
            }
            fake.refuse_nth(0);
            if (size == 12 * kibibyte) {
                const std::vector<void*> all = take_some(*p, 300);
                EXPECT_EQ(refused(*p), take_result::exhausted);
                give(*p, all);
            }
            EXPECT_TRUE(p->end());
            EXPECT_EQ(used(), 0u) << size << ", call " << n;
        }
    }
}

TEST_P(block_pools, keep_what_the_system_does_not_take_back) {
    for (const size_t size : {size_t{16} * kibibyte, size_t{2} * mebibyte}) {
        block_pool& p = make(size);
        give(p, take_some(p, 20));
        fake.refuse(system_call::purge);
        EXPECT_EQ(p.trim(), 0u);
        EXPECT_EQ(p.counts().ready, 20u);
        give(p, take_some(p, 20));
        EXPECT_TRUE(p.end()) << "the page tier has it then";
        EXPECT_EQ(used(), 0u);
        fake.refuse(system_call::purge, false);
        fake.advance(2000);
        pools.clear();
    }
}

// ---- the end

TEST_P(block_pools, do_not_end_while_blocks_are_taken_and_nothing_has_happened_then) {
    pool_options o;
    o.block_size = 128 * kibibyte;
    o.low_watermark = 4;
    block_pool& p = make(o);
    ASSERT_TRUE(p.populate(4));
    const std::vector<void*> all = take_some(p, 6);
    give(p, {all.begin() + 1, all.end()});
    const size_t free = p.counts().ready + p.counts().cached;
    EXPECT_FALSE(p.end());
    EXPECT_EQ(p.counts().ready + p.counts().cached, free);
    EXPECT_EQ(p.counts().returned, 0u);
    EXPECT_TRUE(p.is_alive());
    give(p, take_some(p, 10));
    p.give(all[0]);
    EXPECT_TRUE(p.end());
    EXPECT_FALSE(p.is_alive());
    EXPECT_EQ(used(), 0u);
    pools.clear();
}

// ---- mistakes

using block_pools_DeathTest = block_pools;
INSTANTIATE_TEST_SUITE_P(, block_pools_DeathTest, testing::ValuesIn(policies()), name_of);

TEST_P(block_pools_DeathTest, end_the_program_when_given_what_is_not_theirs_or_not_taken) {
    pool_options o;
    o.name = "bodies";
    for (const size_t size : {size_t{12} * kibibyte, size_t{2} * mebibyte, size_t{3} * mebibyte}) {
        o.block_size = size;
        block_pool& p = make(o);
        block_pool& other = make(size, 5);
        auto* block = static_cast<char*>(take(p));
        auto* foreign = static_cast<char*>(take(other));
        static char not_ours[64];
        EXPECT_DEATH(p.give(foreign), "lowtide: .*not a block of this pool \\(pool \"bodies\"\\)");
        EXPECT_DEATH(p.give(not_ours), "not a block of this pool");
        EXPECT_DEATH(p.give(reinterpret_cast<void*>(uintptr_t{0xdeadbeefdeadbeef})),
                     "not a block of this pool");
        EXPECT_DEATH(p.give(block + 64), "not the start of a block");
        EXPECT_DEATH(p.give(block + size - 1), "not (the start of a block|a block of this pool)");
        p.give(block);
        EXPECT_DEATH(p.give(block), "given back before");
        const std::vector<void*> more = take_some(p, 100 * mebibyte / size / 10);
        give(p, more);
        for (size_t i = 0; i < more.size(); i += more.size() / 3 + 1)
            EXPECT_DEATH(p.give(more[i]), "given back before");
        p.trim();
        EXPECT_DEATH(p.give(block), "given back before|not a block of this pool");
        other.give(foreign);
        EXPECT_TRUE(p.end() && other.end());
        pools.clear();
    }
}

// ---- what they say

TEST_P(block_pools, have_statistics_that_add_up) {
    std::mt19937 random(3);
    block_pool& p = make(4 * kibibyte, 700);
    std::vector<void*> mine;
    size_t refusals = 0;
    for (int i = 0; i < 5000; ++i) {
        take_result result{};
        if (random() % 100 < 55) {
            void* block = p.take("t", result);
            if (block != nullptr)
                mine.push_back(block);
            refusals += block == nullptr ? 1 : 0;
        } else if (!mine.empty()) {
            p.give(mine.back());
            mine.pop_back();
        }
        if (i % 100 == 0) {
            if (random() % 5 == 0)
                p.trim();
            tick_for(p, 100);
            const pool_counts n = p.counts();
            ASSERT_EQ(n.taken, mine.size());
            ASSERT_LE(n.taken + n.cached + n.ready, n.blocks);
            ASSERT_LE(n.blocks, 700u);
            ASSERT_EQ(n.refused, refusals);
        }
    }
    give(p, mine);
}

TEST_P(block_pools, print_their_taken_blocks_by_owner_the_most_first) {
    pool_options o;
    o.block_size = 8 * kibibyte;
    o.name = "a name of more than thirty-one characters";
    block_pool& p = make(o);
    std::vector<void*> all = take_some(p, 3, "few");
    const std::vector<void*> more = take_some(p, 30, "most");
    const std::vector<void*> nobodys = take_some(p, 7, nullptr);
    const std::string equal_text("few");
    all.push_back(take(p, equal_text.c_str()));
    const std::string text = printed(p);
    EXPECT_NE(text.find("block pool \"a name of more than thirty-one \""), std::string::npos) << text;
    EXPECT_NE(text.find("41 taken"), std::string::npos) << text;
    const size_t most = text.find("30 taken by most\n");
    const size_t nobody = text.find("7 taken by (no owner)\n");
    const size_t few = text.find("4 taken by few\n");
    EXPECT_TRUE(most < nobody && nobody < few && few != std::string::npos) << text;
    give(p, more);
    give(p, nobodys);
    give(p, all);
    EXPECT_EQ(printed(p).find("taken by"), std::string::npos);
}

TEST_P(block_pools, print_no_more_than_64_owners_and_the_others_together) {
    block_pool& p = make(4 * kibibyte);
    std::vector<std::string> names;
    for (int i = 0; i < 100; ++i)
        names.push_back("owner " + std::to_string(i));
    std::vector<void*> all;
    for (const std::string& name : names)
        all.push_back(take(p, name.c_str()));
    const std::string text = printed(p);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1 + 64 + 1) << text;
    EXPECT_NE(text.find("36 taken by (others"), std::string::npos) << text;
    EXPECT_LT(text.find("36 taken by (others"), text.find("1 taken by owner")) << "the most first";
    give(p, all);
}

} // namespace
} // namespace lowtide::test
