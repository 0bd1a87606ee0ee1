// The allocator's own records: zeroed, aligned, apart from each other, reused, and repaired after a fork.
#include "pages/metadata.h"

#include "support/child.h"
#include "support/fake_pages.h"

#include <cstring>
#include <gtest/gtest.h>
#include <latch>
#include <map>
#include <random>
#include <semaphore>
#include <thread>
#include <utility>
#include <vector>

namespace lowtide::test {
namespace {

class records : public testing::Test {
protected:
    fake_pages fake;
    metadata all{fake.source()};
};

bool is_zero(const void* record, size_t bytes) {
    const auto begin = static_cast<const unsigned char*>(record);
    return std::all_of(begin, begin + bytes, [](unsigned char c) { return c == 0; });
}

TEST_F(records, are_zero_aligned_and_apart) {
    std::map<uintptr_t, size_t> places;
    std::mt19937 random(1);
    for (int i = 0; i < 2000; ++i) {
        const size_t bytes = i % 5 == 0 ? 2048 : random() % 2048 + 1;
        void* record = all.allocate(bytes);
        ASSERT_NE(record, nullptr);
        const auto at = reinterpret_cast<uintptr_t>(record);
        EXPECT_EQ(at % 64, 0u);
        EXPECT_TRUE(bytes != 2048 || at % 2048 == 0);
        ASSERT_TRUE(is_zero(record, bytes));
        memset(record, 0xff, bytes);
        const auto behind = places.upper_bound(at);
        EXPECT_TRUE(behind == places.end() || at + bytes <= behind->first);
        EXPECT_TRUE(behind == places.begin() || std::prev(behind)->first + std::prev(behind)->second <= at);
        places[at] = bytes;
    }
}

TEST_F(records, that_were_given_back_are_used_again_and_zero_again) {
    for (const size_t bytes : {size_t{1}, size_t{64}, size_t{200}, size_t{2048}}) {
        void* record = all.allocate(bytes);
        memset(record, 0xff, bytes);
        all.deallocate(record, bytes);
        EXPECT_EQ(all.allocate(bytes), record);
        EXPECT_TRUE(is_zero(record, bytes));
    }
    const size_t mapped = all.mapped_bytes();
    for (int i = 0; i < 10'000; ++i)
        all.deallocate(all.allocate(640), 640);
    EXPECT_EQ(all.mapped_bytes(), mapped);
}

TEST_F(records, larger_than_a_chunk_have_a_mapping_of_their_own) {
    const size_t bytes = 3 * mebibyte + 1;
    void* record = all.allocate(bytes);
    ASSERT_NE(record, nullptr);
    EXPECT_TRUE(is_zero(record, bytes));
    memset(record, 0xff, bytes);
    EXPECT_GE(all.mapped_bytes(), bytes);
    fake.refuse(system_call::map);
    EXPECT_EQ(all.allocate(bytes), nullptr);
}

TEST_F(records, of_every_size_are_used_again) {
    for (const size_t bytes : {2049, 4096, 5000, 20'000, 32 * 1024}) {
        void* record = all.allocate(bytes);
        memset(record, 0xff, bytes);
        all.deallocate(record, bytes);
        EXPECT_EQ(all.allocate(bytes), record);
        EXPECT_TRUE(is_zero(record, bytes));
        const size_t mapped = all.mapped_bytes();
        for (int i = 0; i < 100; ++i)
            all.deallocate(all.allocate(bytes), bytes);
        EXPECT_LE(all.mapped_bytes(), mapped + 128 * kibibyte);
    }
}

TEST_F(records, with_a_mapping_of_their_own_give_it_back) {
    all.deallocate(all.allocate(mebibyte), mebibyte); // where mappings are noted
    const size_t before = all.mapped_bytes();
    for (const size_t bytes : {size_t{33} * kibibyte, size_t{64} * kibibyte, 3 * mebibyte + 1}) {
        all.deallocate(all.allocate(bytes), bytes);
        EXPECT_EQ(all.mapped_bytes(), before);
    }
}

// As the account asks for it.
TEST_F(records, say_where_their_memory_is) {
    std::vector<std::pair<void*, size_t>> large;
    for (size_t i = 0; i < 600; ++i) { // more than a page of notes has room for
        const size_t bytes = (40 + i % 50) * kibibyte;
        large.emplace_back(all.allocate(bytes), bytes);
        ASSERT_NE(all.allocate(1000 + i), nullptr);
    }
    for (size_t i = 0; i < large.size(); i += 3)
        all.deallocate(large[i].first, large[i].second);
    std::map<uintptr_t, size_t> found;
    size_t bytes = 0;
    metadata::mapping some[7];
    for (size_t count = 7; count == 7;) {
        count = all.copy_mappings(found.size(), some, 7);
        for (size_t i = 0; i < count; ++i) {
            EXPECT_TRUE(found.emplace(some[i].base, some[i].bytes).second) << "twice";
            bytes += some[i].bytes;
        }
    }
    EXPECT_EQ(bytes, all.mapped_bytes());
    for (size_t i = 0; i < large.size(); ++i)
        EXPECT_EQ(found.contains(reinterpret_cast<uintptr_t>(large[i].first)), i % 3 != 0);
}

TEST_F(records, may_be_as_large_as_64_kib) {
    void* a = all.allocate(64 * kibibyte);
    void* b = all.allocate(64 * kibibyte);
    void* c = all.allocate(64 * kibibyte);
    for (void* record : {a, b, c}) {
        ASSERT_NE(record, nullptr);
        ASSERT_TRUE(is_zero(record, 64 * kibibyte));
        memset(record, 0xff, 64 * kibibyte);
    }
    EXPECT_TRUE(is_zero(all.allocate(64), 64));
}

TEST_F(records, there_are_none_without_memory_and_there_are_again_with_it) {
    fake.refuse(system_call::map);
    EXPECT_EQ(all.allocate(64), nullptr);
    EXPECT_EQ(all.mapped_bytes(), 0u);
    fake.refuse(system_call::map, false);
    void* record = all.allocate(64);
    ASSERT_NE(record, nullptr);
    EXPECT_TRUE(is_zero(record, 64));
    all.deallocate(nullptr, 64); // as free does: nothing
}

TEST_F(records, a_signal_handler_in_the_middle_gets_none_and_breaks_nothing) {
    void* kept = all.allocate(2048);
    bool asked = false;
    fake.on_call([&](system_call) {
        asked = true;
        EXPECT_EQ(all.allocate(64), nullptr);
        all.deallocate(kept, 2048);
    });
    while (!asked)
        ASSERT_NE(all.allocate(2048), nullptr); // until it needs a new chunk
    fake.on_call({});
    EXPECT_NE(all.allocate(64), nullptr);
}

TEST_F(records, a_child_starts_anew_where_a_thread_of_the_parent_was_in_the_middle) {
    void* freed = all.allocate(64);
    all.deallocate(freed, 64);
    std::binary_semaphore stuck{0};
    std::binary_semaphore go{0};
    fake.on_call([&](system_call) {
        stuck.release();
        go.acquire();
    });
    std::thread other([&] {
        while (fake.count(system_call::map) < 2)
            static_cast<void>(all.allocate(2048));
    });
    stuck.acquire();
    in_child([&] {
        fake.on_call({});
        void* record = all.allocate(64);
        ASSERT_NE(record, nullptr);
        EXPECT_NE(record, freed) << "the old lists can't be trusted";
        EXPECT_TRUE(is_zero(record, 64));
        all.deallocate(record, 64);
        EXPECT_EQ(all.allocate(64), record);
    });
    go.release();
    other.join();
    fake.on_call({});
    EXPECT_EQ(all.allocate(64), freed) << "the parent's are as they were";
}

TEST_F(records, are_one_threads_alone) {
    const page_source system;
    metadata shared(&system);
    std::vector<std::thread> threads;
    for (unsigned t = 1; t <= 4; ++t)
        threads.emplace_back([&, t] {
            std::mt19937 random(t);
            std::vector<std::pair<unsigned*, size_t>> mine;
            for (int i = 0; i < 3000; ++i) {
                if (mine.size() < 20) {
                    const size_t bytes = (random() % 8 + 1) * 64;
                    mine.emplace_back(static_cast<unsigned*>(shared.allocate(bytes)), bytes);
                    ASSERT_NE(mine.back().first, nullptr);
                    ASSERT_EQ(*mine.back().first, 0u);
                    *mine.back().first = t;
                } else {
                    std::swap(mine[random() % mine.size()], mine.back());
                    ASSERT_EQ(*mine.back().first, t);
                    shared.deallocate(mine.back().first, mine.back().second);
                    mine.pop_back();
                }
            }
        });
    for (std::thread& t : threads)
        t.join();
}

} // namespace
} // namespace lowtide::test
