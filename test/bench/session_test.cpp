// The order of the runs, and what becomes of those that fail or are interrupted.
#include "runner/errors.h"
#include "runner/session.h"

#include <functional>
#include <gtest/gtest.h>

namespace lowtide::bench {
namespace {

/// Writes down on which allocators it ran; `act` may throw.
class recorder final : public benchmark {
public:
    using action = std::function<measurement(const allocator&)>;

    recorder(std::string& order, action act)
        : benchmark({"one", "g", ""}), order_(order), act_(std::move(act)) {}

    measurement run(const allocator& allocator) override {
        order_ += allocator.name;
        return act_(allocator);
    }
    std::optional<double> system_calls(const allocator& allocator) override {
        if (allocator.name == "b")
            throw run_failed("not traced");
        order_ += '+' + allocator.name;
        return 7;
    }

private:
    std::string& order_;
    action act_;
};

measurement same_work(const allocator&) {
    return {.ns_per_operation = 1,
            .peak_rss_kib = 1,
            .minor_faults = 1,
            .user_seconds = 0,
            .system_seconds = 0,
            .checksum = "same"};
}

class session : public testing::Test {
protected:
    /// Three rounds of it on the allocators a, b and c.
    void run(const recorder::action& act) {
        measured_.repeat = 3;
        measured_.allocators = {{.name = "a"}, {.name = "b"}, {.name = "c"}};
        benchmark_list list;
        list.push_back(std::make_unique<recorder>(order_, act));
        run_session(list, measured_);
    }

    const cell& of(std::size_t allocator) const { return measured_.rows.at(0).cells.at(allocator); }

    std::string order_;
    results measured_;
};

TEST_F(session, each_round_begins_with_another_allocator) {
    run(same_work);
    EXPECT_EQ(order_, "abcbcacab");
    EXPECT_EQ(of(0).runs.size(), 3u);
    EXPECT_EQ(measured_.failures(), 0u);
}

TEST_F(session, an_allocator_that_failed_is_not_tried_again_and_the_others_go_on) {
    run([](const allocator& on) {
        if (on.name == "b")
            throw run_failed("broken");
        return same_work(on);
    });
    EXPECT_EQ(order_, "abccaca");
    EXPECT_EQ(of(1).failure, "broken");
    EXPECT_TRUE(of(0).completed());
    EXPECT_EQ(measured_.failures(), 1u);
}

TEST_F(session, a_run_that_did_other_work_is_a_failure) {
    run([](const allocator& on) {
        measurement result = same_work(on);
        if (on.name == "c")
            result.checksum = "other";
        return result;
    });
    EXPECT_EQ(of(2).failure, "did other work than the first run: checksum other, not same");
    EXPECT_TRUE(of(0).completed());
}

TEST_F(session, system_calls_are_counted_once_where_that_is_asked_for) {
    run(same_work);
    EXPECT_FALSE(of(0).system_calls.has_value());
    measured_.rows.clear();
    measured_.system_calls = true;
    order_.clear();
    run(same_work);
    EXPECT_EQ(order_, "abcbcacab+a+c");
    EXPECT_EQ(of(0).system_calls, 7);
    EXPECT_EQ(of(1).failure, "not traced");
}

TEST_F(session, an_interrupt_keeps_only_what_was_complete) {
    run([](const allocator&) -> measurement { throw interrupted(); });
    EXPECT_TRUE(measured_.interrupted);
    EXPECT_TRUE(measured_.rows.empty());
}

} // namespace
} // namespace lowtide::bench
