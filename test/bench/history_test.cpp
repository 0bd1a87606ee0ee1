// The history: what it compares, and what it refuses.
#include "report/report.h"
#include "runner/errors.h"
#include "runner/history.h"
#include "runner/scratch.h"

#include <fstream>
#include <gtest/gtest.h>

namespace lowtide::bench {
namespace {

cell taking(std::vector<double> times) {
    cell made;
    for (const double ns : times)
        made.runs.push_back({.ns_per_operation = ns,
                             .peak_rss_kib = 10,
                             .minor_faults = 100,
                             .user_seconds = 0,
                             .system_seconds = 0,
                             .checksum = ""});
    return made;
}

results session(const std::string& date, std::vector<double> first, std::vector<double> second) {
    results made;
    made.date = date;
    made.where = {.processor = "a processor",
                  .processors = 2,
                  .memory = {},
                  .kernel = {},
                  .libc = {},
                  .huge_pages = {}};
    made.allocators = {{.name = "first"}, {.name = "second"}};
    made.rows = {
        {.about = {"work", "g", ""}, .cells = {taking(std::move(first)), taking(std::move(second))}}};
    return made;
}

class history_file : public testing::Test {
protected:
    std::optional<comparison> compare(const results& now) const { return history(file_).compare(now); }
    void append(const results& session) const { history(file_).append(session); }
    void write(const std::string& text) const { std::ofstream(file_) << text; }

    const results before_ = session("monday", {10, 10, 10}, {20, 20, 20});
    scratch directory_;
    std::filesystem::path file_ = directory_.path() / "history";
};

TEST_F(history_file, that_is_not_there_yet_has_nothing_to_compare_with) {
    EXPECT_FALSE(compare(before_).has_value());
    EXPECT_NE(text_report(std::nullopt).find("no session"), std::string::npos);
}

TEST_F(history_file, shows_what_became_worse_and_better) {
    append(before_);
    const std::optional<comparison> found = compare(session("tuesday", {15, 15, 15}, {20, 20, 20}));
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->since, "monday");
    ASSERT_EQ(found->changes.size(), 2u);
    EXPECT_EQ(found->changes[0].workload, "work");
    EXPECT_DOUBLE_EQ(found->changes[0].before, 0.5);
    EXPECT_DOUBLE_EQ(found->changes[0].now, 0.75);
    const std::string text = text_report(found);
    EXPECT_NE(text.find("worse   work                     first"), std::string::npos) << text;
    EXPECT_NE(text.find("better  work                     second"), std::string::npos) << text;
}

TEST_F(history_file, passes_over_a_machine_that_is_slower_as_a_whole) {
    append(before_);
    EXPECT_TRUE(compare(session("tuesday", {30, 30, 30}, {60, 60, 60}))->changes.empty());
}

TEST_F(history_file, passes_over_what_is_within_the_noise) {
    append(before_);
    EXPECT_FALSE(compare(session("tuesday", {13, 13, 13}, {20, 20, 20}))->changes.empty());
    EXPECT_TRUE(compare(session("tuesday", {8, 13, 20}, {20, 20, 20}))->changes.empty());
}

TEST_F(history_file, concludes_nothing_from_one_run) {
    append(session("monday", {10}, {20}));
    EXPECT_TRUE(compare(session("tuesday", {15}, {20}))->changes.empty());
    EXPECT_TRUE(compare(session("tuesday", {15, 15}, {20, 20}))->changes.empty());
}

TEST_F(history_file, compares_with_the_last_session_of_the_same_kind) {
    append(before_);
    append(session("tuesday", {20, 20, 20}, {20, 20, 20}));
    results other = session("wednesday", {1, 1, 1}, {20, 20, 20});
    other.where.processors = 64;
    append(other);
    const std::optional<comparison> found = compare(session("thursday", {20, 20, 20}, {20, 20, 20}));
    EXPECT_EQ(found->since, "tuesday");
    EXPECT_TRUE(found->changes.empty());
}

TEST_F(history_file, that_is_broken_is_refused_with_the_line_and_left_alone) {
    append(before_);
    std::ofstream(file_, std::ios::app) << "{\"date\": 1\n";
    const std::string broken = read_file(file_);
    try {
        const history never(file_);
        FAIL();
    } catch (const usage_error& problem) {
        EXPECT_EQ(std::string(problem.what()),
                  file_.string() + ":2: not a session of 'lowtide bench --history'");
    }
    EXPECT_EQ(read_file(file_), broken);
}

} // namespace
} // namespace lowtide::bench
