// A block pool on fake pages, and what tests of it have in common.
#pragma once

#include "pool/block_pool.h"
#include "support/fake_pages.h"
#include "support/zeroed.h"

#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <set>
#include <vector>

namespace lowtide::test {

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LOWTIDE_TEST_TSAN
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define LOWTIDE_TEST_TSAN
#endif

// The owner policies that this process can use. ThreadSanitizer doesn't see what the assembly of a sequence
// does.
inline const std::vector<os::rseq_support>& policies() {
    static const std::vector<os::rseq_support> all = [] {
        std::vector<os::rseq_support> found = {os::rseq_support::locked};
#ifndef LOWTIDE_TEST_TSAN
        os::rseq_place place;
        const os::rseq_support best = os::find_rseq(place);
        if (best != os::rseq_support::locked && os::restart_sequences())
            found.push_back(best);
#endif
        return found;
    }();
    return all;
}

inline row_owners owners_of(os::rseq_support policy) {
    row_owners owners{policy, {}, 4};
    if (policy != os::rseq_support::locked) {
        static_cast<void>(os::find_rseq(owners.place));
        owners.rows = os::possible_cpus();
    }
    return owners;
}

inline std::string name_of(const testing::TestParamInfo<os::rseq_support>& policy) {
    return policy.param == os::rseq_support::locked ? "locked" : "rseq";
}

class pool_test : public testing::TestWithParam<os::rseq_support> {
protected:
    // A fake's lock, and libc's, are not for a child of fork: tests that make some have the system's pages.
    enum class source_of_pages { fake, system };

    explicit pool_test(source_of_pages which = source_of_pages::fake)
        : source(which == source_of_pages::fake ? fake.source() : &system) {
        fake.allow_plain_blocks();
        reliefs = 0;
        relief = 0;
        calls = 0;
        attended = false;
    }
    ~pool_test() override {
        for (std::unique_ptr<block_pool>& p : pools)
            static_cast<void>(p->end());
    }

    pool_surroundings surroundings() {
        return {&pages,
                map.get(),
                &records,
                source,
                &settings,
                owners_of(GetParam()),
                []() noexcept { ++calls; },
                []() noexcept { return attended.load(); },
                []() noexcept {
                    ++reliefs;
                    return relief.load();
                }};
    }

    block_pool& make(const pool_options& o) {
        pools.push_back(std::make_unique<block_pool>(surroundings()));
        EXPECT_TRUE(pools.back()->start(o));
        return *pools.back();
    }
    block_pool& make(size_t size, size_t most = SIZE_MAX) {
        pool_options o;
        o.block_size = size;
        o.max_blocks = most;
        return make(o);
    }

    static void* take(block_pool& p, const char* owner = "test") {
        take_result result{};
        void* block = p.take(owner, result);
        EXPECT_EQ(block != nullptr, result == take_result::ok);
        return block;
    }
    static take_result refused(block_pool& p) {
        take_result result{};
        EXPECT_EQ(p.take("refused", result), nullptr);
        return result;
    }
    static std::vector<void*> take_some(block_pool& p, size_t count, const char* owner = "test") {
        std::vector<void*> all;
        for (size_t i = 0; i < count; ++i) {
            all.push_back(take(p, owner));
            EXPECT_NE(all.back(), nullptr);
        }
        return all;
    }
    static void give(block_pool& p, const std::vector<void*>& blocks) {
        for (void* block : blocks)
            p.give(block);
    }

    [[nodiscard]] size_t used() { return pages.counts().used_bytes; }

    // Until all that is free has had its time.
    void tick_for(block_pool& p, uint64_t ms) {
        for (uint64_t at = 0; at < ms; at += 100) {
            fake.advance(100);
            static_cast<void>(p.tick());
        }
    }

    static inline std::atomic<size_t> reliefs{0};
    static inline std::atomic<size_t> relief{0};
    static inline std::atomic<size_t> calls{0};
    static inline std::atomic<bool> attended{false};

    fake_pages fake;
    const page_source system{};
    const page_source* source;
    zeroed<page_map> map;
    options settings;
    metadata records{source};
    ceiling limits;
    page_tier pages{source, map.get(), &records, &settings, &limits};
    std::vector<std::unique_ptr<block_pool>> pools;
};

} // namespace lowtide::test
