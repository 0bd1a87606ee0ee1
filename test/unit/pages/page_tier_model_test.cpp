// The page tier against a model: random operations, and after each the truth is what the model says.
#include "support/page_tier_test.h"

#include <map>
#include <random>

namespace lowtide::test {
namespace {

struct live_run {
    uint32_t slices;
    uint64_t mark;
};

class page_tier_model : public page_tier_test, public testing::WithParamInterface<unsigned> {
protected:
    unsigned below(unsigned n) { return static_cast<unsigned>(random() % n); }
    bool now_and_then() { return below(40) == 0; }

    std::map<uintptr_t, live_run>::iterator any_run() {
        return std::next(runs.begin(), below(unsigned(runs.size())));
    }

    // Nobody else has a slice of [base, base + slices).
    void expect_apart(uintptr_t base, uint32_t slices) {
        const auto behind = runs.lower_bound(base);
        ASSERT_TRUE(behind == runs.end() || base + slices * slice_size <= behind->first);
        ASSERT_TRUE(behind == runs.begin() ||
                    std::prev(behind)->first + std::prev(behind)->second.slices * slice_size <= base);
    }

    void allocate() {
        const uint32_t slices = below(8) == 0 ? below(120) + 1 : below(32) + 1;
        const size_t alignment = slice_size << (slices <= slices_per_block && below(4) == 0 ? below(6) : 0);
        const page_run run = pages.allocate({slices}, alignment);
        ASSERT_NE(run.base, 0u);
        ASSERT_EQ(run.base % alignment, 0u);
        expect_apart(run.base, slices);
        ASSERT_TRUE(!run.zeroed || is_stamped(run.base, slices, 0)) << "said to be zero, and is not";
        stamp(run.base, slices, ++last_mark);
        runs[run.base] = {slices, last_mark};
        used += slices;
    }

    void deallocate() {
        const auto run = any_run();
        ASSERT_TRUE(is_stamped(run->first, run->second.slices, run->second.mark))
            << "somebody else wrote here";
        give(run->first, run->second.slices);
        used -= run->second.slices;
        runs.erase(run);
    }

    void extend() {
        const auto run = any_run();
        const uint32_t more = below(8) + 1;
        if (!pages.extend(run->first, {run->second.slices}, {more}))
            return;
        const uintptr_t tail = run->first + run->second.slices * slice_size;
        const auto behind = std::next(run);
        ASSERT_TRUE(behind == runs.end() || tail + more * slice_size <= behind->first);
        stamp(tail, more, run->second.mark);
        run->second.slices += more;
        used += more;
    }

    void shrink() {
        const auto run = any_run();
        const uint32_t less = below(run->second.slices);
        if (less == 0)
            return;
        run->second.slices -= less;
        used -= less;
        give(run->first + run->second.slices * slice_size, less);
    }

    void step() {
        const size_t target = 60;
        if (now_and_then())
            fake.advance(below(1500));
        if (now_and_then())
            pages.tick();
        if (now_and_then() && now_and_then())
            static_cast<void>(pages.purge_all());
        if (now_and_then() && now_and_then())
            static_cast<void>(pages.surrender());
        if (runs.empty() || (runs.size() < 2 * target && below(unsigned(2 * target)) >= runs.size()))
            return allocate();
        switch (below(6)) {
        case 0:
            return extend();
        case 1:
            return shrink();
        default:
            return deallocate();
        }
    }

    std::mt19937 random{GetParam()};
    std::map<uintptr_t, live_run> runs;
    uint64_t last_mark = 0;
    size_t used = 0;
};

TEST_P(page_tier_model, is_true_after_every_operation) {
    for (int i = 0; i < 6000 && !HasFatalFailure(); ++i) {
        step();
        expect_true_counters(used);
        ASSERT_FALSE(HasFailure()) << "operation " << i << " of seed " << GetParam();
    }
    while (!runs.empty() && !HasFatalFailure())
        deallocate();
    static_cast<void>(pages.purge_all());
    expect_true_counters(0);
    EXPECT_EQ(pages.counts().dirty_bytes, 0u);
    static_cast<void>(pages.surrender());
    EXPECT_EQ(fake.reserved_bytes(), 0u) << "what nobody uses can all go back";
}

INSTANTIATE_TEST_SUITE_P(seeds, page_tier_model, testing::Values(1u, 2u, 3u, 4u));

} // namespace
} // namespace lowtide::test
