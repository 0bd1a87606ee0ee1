// The rows of a block cache: one magazine each, closed on demand, and collected from all processors.
#include "pool/block_cache.h"

#include "support/pool_test.h"

#include <thread>
#include <utility>

namespace lowtide::test {
namespace {

class block_caches : public testing::TestWithParam<os::rseq_support> {
protected:
    block_caches() {
        owners = owners_of(GetParam());
        EXPECT_TRUE(cache.start(records, owners, true));
    }
    ~block_caches() override {
        static_cast<void>(drain());
        cache.end(records);
    }

    // Of a thread that stays on its processor only this is certain.
    void install() { EXPECT_EQ(cache.put_magazine(cache.empty_magazine(records, 3)).m, nullptr); }
    // All blocks and magazines; how many blocks these were.
    size_t drain() {
        size_t blocks = 0;
        cache.sift_rows([&](const stock& s, bool) {
            blocks += s.count;
            block_cache::scrap(records, s.m);
            return stock{};
        });
        return blocks;
    }
    // What a call of sift_rows that changes nothing sees: for each row, how many blocks, and whether these
    // are `same`.
    std::vector<std::pair<unsigned, bool>> look() {
        std::vector<std::pair<unsigned, bool>> seen;
        cache.sift_rows([&](const stock& s, bool same) {
            seen.emplace_back(s.count, same);
            return s;
        });
        return seen;
    }
    // On one processor, so that rows don't change meanwhile.
    void stay() {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(sched_getcpu(), &one);
        sched_setaffinity(0, sizeof(one), &one);
    }
    void on_one_processor(const std::function<void()>& act) {
        std::thread([&] {
            stay();
            act();
        }).join();
    }

    fake_pages fake;
    metadata records{fake.source()};
    row_owners owners;
    block_cache cache;
    int objects[8] = {};
};
INSTANTIATE_TEST_SUITE_P(, block_caches, testing::ValuesIn(policies()), name_of);

TEST_P(block_caches, without_a_magazine_are_empty_and_full) {
    EXPECT_EQ(cache.pop(), nullptr);
    EXPECT_FALSE(cache.push(objects));
    EXPECT_EQ(cache.take_magazine().m, nullptr);
    EXPECT_TRUE(cache.is_empty());
    EXPECT_EQ(cache.count(), 0u);
    EXPECT_TRUE(look().empty());
}

TEST_P(block_caches, hold_what_their_magazine_has_room_for_last_in_first_out) {
    on_one_processor([&] {
        install();
        EXPECT_FALSE(cache.is_empty());
        for (int i = 0; i < 3; ++i)
            EXPECT_TRUE(cache.push(&objects[i]));
        EXPECT_FALSE(cache.push(&objects[3]));
        EXPECT_EQ(cache.count(), 3u);
        for (int i = 3; i-- > 0;)
            EXPECT_EQ(cache.pop(), &objects[i]);
        EXPECT_EQ(cache.pop(), nullptr);
    });
}

TEST_P(block_caches, refuse_everything_while_they_are_closed_and_have_what_they_had_then) {
    on_one_processor([&] {
        install();
        EXPECT_TRUE(cache.push(&objects[0]));
        cache.close();
        cache.close();
        EXPECT_EQ(cache.pop(), nullptr);
        EXPECT_FALSE(cache.push(&objects[1]));
        EXPECT_EQ(cache.take_magazine().m, nullptr);
        EXPECT_EQ(cache.empty_magazine(records, 3).m, nullptr) << "it could only be thrown away";
        cache.open();
        EXPECT_EQ(cache.pop(), nullptr) << "as often as it was closed";
        cache.open();
        EXPECT_EQ(cache.pop(), &objects[0]);
        cache.close();
        cache.close();
        cache.open_for_all();
        EXPECT_TRUE(cache.push(&objects[0]));
    });
}

TEST_P(block_caches, are_collected_from_all_rows) {
    for (int i = 0; i < 2; ++i)
        on_one_processor([&] {
            static_cast<void>(cache.put_magazine(cache.empty_magazine(records, 3)));
            EXPECT_TRUE(cache.push(&objects[i]));
        });
    const size_t held = cache.count();
    EXPECT_GE(held, 1u);
    EXPECT_EQ(drain(), held);
    EXPECT_TRUE(cache.is_empty());
    on_one_processor([&] {
        install();
        EXPECT_TRUE(cache.push(&objects[7]));
        EXPECT_EQ(cache.pop(), &objects[7]) << "and the cache goes on";
    });
}

TEST_P(block_caches, show_in_which_rows_nothing_has_happened_since_they_were_looked_at) {
    using rows = std::vector<std::pair<unsigned, bool>>;
    on_one_processor([&] {
        install();
        EXPECT_TRUE(cache.push(&objects[0]));
        EXPECT_EQ(look(), (rows{{1, false}})) << "seen for the first time";
        EXPECT_EQ(look(), (rows{{1, true}}));
        EXPECT_TRUE(cache.push(&objects[1]));
        EXPECT_EQ(look(), (rows{{2, false}}));
        drain();
        install();
        EXPECT_TRUE(cache.push(&objects[0]));
        EXPECT_EQ(look(), (rows{{1, false}})) << "another magazine, even at the same place";
    });
}

TEST_P(block_caches, go_on_with_what_they_are_left) {
    on_one_processor([&] {
        install();
        for (int i = 0; i < 3; ++i)
            EXPECT_TRUE(cache.push(&objects[i]));
        cache.sift_rows([&](stock s, bool) {
            EXPECT_EQ(s.objects()[0], &objects[0]) << "given back first";
            s.objects()[0] = s.objects()[2];
            s.count = 1;
            return s;
        });
        EXPECT_EQ(look().front().second, true) << "it is what was left";
        EXPECT_EQ(cache.pop(), &objects[2]);
        EXPECT_EQ(cache.pop(), nullptr);
        EXPECT_TRUE(cache.push(&objects[3]));
        EXPECT_EQ(cache.pop(), &objects[3]);
    });
}

TEST_P(block_caches, are_refused_while_they_are_sifted) {
    if (GetParam() == os::rseq_support::locked)
        GTEST_SKIP() << "the row is locked then";
    on_one_processor([&] {
        install();
        EXPECT_TRUE(cache.push(&objects[0]));
        cache.sift_rows([&](const stock& s, bool) {
            EXPECT_EQ(cache.pop(), nullptr);
            EXPECT_FALSE(cache.push(&objects[1]));
            return s;
        });
        EXPECT_EQ(cache.pop(), &objects[0]);
    });
}

TEST_P(block_caches, of_no_capacity_are_closed_for_ever) {
    block_cache none;
    ASSERT_TRUE(none.start(records, owners, false));
    EXPECT_EQ(none.empty_magazine(records, 3).m, nullptr);
    EXPECT_FALSE(none.push(objects));
    none.close();
    none.open();
    none.open_for_all();
    EXPECT_EQ(none.pop(), nullptr);
    none.sift_rows([](const stock& s, bool) {
        ADD_FAILURE();
        return s;
    });
    none.end(records);
}

TEST_P(block_caches, need_no_more_records_however_often_they_are_made) {
    for (const unsigned rows : {4u, 64u, 1024u}) {
        owners.rows = rows;
        size_t before = 0;
        for (int i = 0; i < 20; ++i) {
            block_cache another;
            ASSERT_TRUE(another.start(records, owners, true));
            another.end(records);
            if (i == 0)
                before = records.mapped_bytes();
        }
        EXPECT_EQ(records.mapped_bytes(), before);
    }
    fake.refuse(system_call::map);
    owners.rows = 1024;
    block_cache refused;
    EXPECT_FALSE(refused.start(records, owners, true));
}

} // namespace
} // namespace lowtide::test
