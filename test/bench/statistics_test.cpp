// The figures: medians, spreads, means and ratios, and the standings and scaling made of them.
#include "report/report.h"
#include "runner/results.h"
#include "runner/scaling.h"

#include <cmath>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lowtide::bench {
namespace {

measurement taking(double ns) {
    return {.ns_per_operation = ns,
            .peak_rss_kib = 10 * ns,
            .minor_faults = 100 * ns,
            .user_seconds = 0,
            .system_seconds = 0,
            .checksum = "same"};
}

cell times(std::vector<double> list) {
    cell made;
    for (const double ns : list)
        made.runs.push_back(taking(ns));
    return made;
}

results of_two_allocators() {
    results made;
    made.allocators = {{.name = "first"}, {.name = "second"}};
    made.rows = {
        {.about = {"even", "g", "a workload"}, .cells = {times({10, 30, 20}), times({40, 40, 40})}},
        {.about = {"odd", "g", "another"}, .cells = {times({80, 80, 80}), times({9, 10, 11})}},
    };
    return made;
}

TEST(statistics, the_median_is_the_middle_value_or_the_mean_of_the_middle_two) {
    EXPECT_EQ(spread_of({5}).median, 5);
    EXPECT_EQ(spread_of({9, 1, 5}).median, 5);
    EXPECT_EQ(spread_of({4, 1, 9, 2}).median, 3);
}

TEST(statistics, the_noise_is_half_of_the_middle_half_as_a_share_of_the_median) {
    const spread of = spread_of({8, 9, 10, 11, 1000});
    EXPECT_EQ(of.min, 8);
    EXPECT_EQ(of.max, 1000);
    EXPECT_EQ(of.lower_quartile, 9);
    EXPECT_EQ(of.upper_quartile, 11);
    EXPECT_DOUBLE_EQ(of.noise().value(), 0.1);
    EXPECT_EQ(spread_of({7, 7}).noise(), 0);
    EXPECT_EQ(spread_of({7}).noise(), std::nullopt) << "one run says nothing";
}

TEST(statistics, what_slows_a_whole_round_down_leaves_the_shares_as_they_are) {
    const std::vector<spread> quiet = shares({{1, 1, 1}, {4, 4, 4}});
    const std::vector<spread> disturbed = shares({{1, 7, 2}, {4, 28, 8}});
    for (const std::size_t i : {0u, 1u}) {
        EXPECT_DOUBLE_EQ(disturbed[i].median, quiet[i].median);
        EXPECT_NEAR(disturbed[i].noise().value(), 0, 1e-9);
    }
    EXPECT_DOUBLE_EQ(quiet[1].median / quiet[0].median, 4);
    EXPECT_TRUE(shares({}).empty());
}

TEST(statistics, a_geometric_mean_makes_twice_as_slow_and_twice_as_fast_even) {
    EXPECT_DOUBLE_EQ(geometric_mean({2, 0.5}), 1);
    EXPECT_DOUBLE_EQ(geometric_mean({1, 10, 100}), 10);
}

TEST(standings, are_the_mean_and_the_worst_of_the_ratios) {
    const std::vector<standing> list = standings(of_two_allocators(), all_metrics[0]);
    ASSERT_EQ(list.size(), 2u);
    EXPECT_DOUBLE_EQ(list[0].mean, std::sqrt(1.0 * 8.0));
    EXPECT_DOUBLE_EQ(list[0].worst, 8);
    EXPECT_EQ(list[0].worst_workload, "odd");
    EXPECT_DOUBLE_EQ(list[1].mean, std::sqrt(2.0 * 1.0));
    EXPECT_EQ(list[1].worst_workload, "even");
}

TEST(standings, know_how_far_it_is_to_the_best_of_the_others) {
    const std::vector<standing> list = standings(of_two_allocators(), all_metrics[0]);
    EXPECT_DOUBLE_EQ(list[0].to_others.value(), std::sqrt(20.0 / 40 * 80 / 10));
    EXPECT_DOUBLE_EQ(list[1].to_others.value(), std::sqrt(40.0 / 20 * 10 / 80));
}

TEST(standings, have_no_distance_to_others_where_there_are_none) {
    results measured = of_two_allocators();
    measured.allocators.pop_back();
    for (row& each : measured.rows)
        each.cells.pop_back();
    EXPECT_FALSE(standings(measured, all_metrics[0]).at(0).to_others.has_value());
}

TEST(standings, of_the_system_calls_are_over_the_workloads_where_they_were_counted) {
    results measured = of_two_allocators();
    measured.system_calls = true;
    EXPECT_TRUE(standings(measured, measured.metrics().back()).empty());
    measured.rows[0].cells[0].system_calls = 30;
    measured.rows[0].cells[1].system_calls = 60;
    const std::vector<standing> list = standings(measured, measured.metrics().back());
    ASSERT_EQ(list.size(), 2u);
    EXPECT_DOUBLE_EQ(list[1].mean, 2);
    EXPECT_EQ(compared(measured), 2u);
}

TEST(standings, leave_out_what_one_allocator_did_not_complete) {
    results measured = of_two_allocators();
    measured.rows[1].cells[0].failure = "killed";
    EXPECT_EQ(compared(measured), 1u);
    EXPECT_EQ(measured.failures(), 1u);
    const std::vector<standing> list = standings(measured, all_metrics[0]);
    EXPECT_DOUBLE_EQ(list[0].mean, 1);
    EXPECT_DOUBLE_EQ(list[1].mean, 2);
}

TEST(standings, are_none_where_nothing_was_completed_by_all) {
    results measured = of_two_allocators();
    measured.rows[0].cells[1].failure = measured.rows[1].cells[0].failure = "killed";
    EXPECT_TRUE(standings(measured, all_metrics[0]).empty());
}

TEST(standings, leave_out_the_baselines) {
    results measured = of_two_allocators();
    measured.rows[1].about.baseline = true;
    EXPECT_EQ(comparable(measured), 1u);
    EXPECT_EQ(compared(measured), 1u);
    EXPECT_EQ(standings(measured, all_metrics[0]).at(0).worst_workload, "even");
}

/// One workload with three numbers of threads, among others.
results of_many_threads() {
    results made = of_two_allocators();
    made.rows.push_back({.about = {"w/8", "g", "", 8}, .cells = {times({30}), times({10})}});
    made.rows.push_back({.about = {"w/2", "g", "", 2}, .cells = {times({20, 10, 90}), times({40})}});
    made.rows.push_back({.about = {"w/32", "g", "", 32}, .cells = {times({25}), times({20})}});
    return made;
}

TEST(scaling, is_the_time_with_the_most_threads_by_that_with_the_fewest) {
    const std::vector<scaling> list = scalings(of_many_threads());
    ASSERT_EQ(list.size(), 1u);
    EXPECT_EQ(list[0].workload, "w");
    EXPECT_EQ(list[0].fewest, 2u);
    EXPECT_EQ(list[0].most, 32u);
    EXPECT_EQ(list[0].ratios, (std::vector<std::optional<double>>{1.25, 0.5}));
}

TEST(scaling, has_no_ratio_where_a_run_failed_and_no_entry_for_one_number_of_threads) {
    results measured = of_many_threads();
    measured.rows.back().cells[0].failure = "killed";
    EXPECT_EQ(scalings(measured).at(0).ratios, (std::vector<std::optional<double>>{std::nullopt, 0.5}));
    measured.rows.resize(3);
    EXPECT_TRUE(scalings(measured).empty());
}

TEST(scaling, is_in_the_text_and_in_the_json) {
    const results measured = of_many_threads();
    EXPECT_NE(text_report(measured, false).find("\nw 32/2 "), std::string::npos);
    EXPECT_NE(text_report(measured, true).find("\x1b[31m1.25"), std::string::npos) << "not red";
    EXPECT_EQ(nlohmann::json::parse(json_report(measured))["summary"]["scaling"],
              nlohmann::json::parse(R"([{"workload": "w", "fewest": 2, "most": 32,
                                         "ratios": {"first": 1.25, "second": 0.5}}])"));
    EXPECT_EQ(text_report(of_two_allocators(), false).find("scaling"), std::string::npos);
}

TEST(ratios, of_a_row_pass_over_the_failed_ones) {
    results measured = of_two_allocators();
    measured.rows[0].cells[0].failure = "killed";
    const auto ratios = measured.rows[0].ratios(all_metrics[0]);
    EXPECT_FALSE(ratios[0].has_value());
    EXPECT_EQ(ratios[1], 1.0);
}

TEST(text_report, shows_medians_with_their_units_ratios_and_failures) {
    results measured = of_two_allocators();
    measured.rows[1].cells[0].failure = "killed by signal 6 (Aborted)";
    const std::string text = text_report(measured, false);
    EXPECT_NE(text.find("20.0 ns    1.00"), std::string::npos) << text;
    EXPECT_NE(text.find("40.0 ns    2.00"), std::string::npos) << text;
    EXPECT_NE(text.find("odd on first: killed by signal 6 (Aborted)"), std::string::npos) << text;
    EXPECT_NE(text.find("1 of 2 workloads"), std::string::npos) << text;
    EXPECT_EQ(text.find('\x1b'), std::string::npos) << "colours, though none were asked for";
}

/// One workload that idled, on two allocators.
results of_idling() {
    results made = of_two_allocators();
    for (cell& each : made.rows[0].cells)
        for (measurement& run : each.runs) {
            run.idle_rss_kib = 150;
            run.mappings = 40;
            run.idle = {.live = 100,
                        .least = 120,
                        .peak_live = 500,
                        .peak_rss = 600,
                        .mappings_before = 30,
                        .mappings = 40,
                        .rss = {{0, 500}, {1000, 150}}};
        }
    return made;
}

TEST(text_report, shows_what_was_resident_while_idling_and_its_ratio_to_what_was_live) {
    const std::string text = text_report(of_idling(), false);
    EXPECT_NE(text.find("mappings after idling"), std::string::npos) << text;
    for (const char* const shown :
         {"even: RSS while idling and its ratio to what is live, 100 KiB live on pages of 120 KiB, after "
          "500 KiB at the peak",
          "600 KiB    1.20", "500 KiB    5.00", "150 KiB    1.50", "30 -> 40\n"})
        EXPECT_NE(text.find(shown), std::string::npos) << shown << " is not in\n" << text;
}

TEST(json_report, has_what_was_resident_while_idling_and_the_mappings) {
    const auto report = nlohmann::json::parse(json_report(of_idling()));
    const auto& shown = report["workloads"][0]["results"]["first"];
    EXPECT_EQ(shown["mappings"]["median"], 40);
    EXPECT_EQ(
        shown["runs"][0]["idle"],
        nlohmann::json::parse(
            R"({"live": 100.0, "least": 120.0, "peak_live": 500.0, "peak_rss": 600.0, "peak_to_live": 1.2,
                      "mappings_before": 30.0, "mappings": 40.0,
                      "rss": [{"ms": 0, "kib": 500.0, "to_live": 5.0},
                              {"ms": 1000, "kib": 150.0, "to_live": 1.5}]})"));
    EXPECT_FALSE(report["workloads"][1]["results"]["first"].contains("mappings"));
}

TEST(text_report, keeps_long_names_apart) {
    results measured = of_two_allocators();
    const std::string first(30, 'a');
    const std::string second(30, 'b');
    measured.rows[0].about.name = first;
    measured.rows[1].about.name = second;
    EXPECT_NE(text_report(measured, false).find(second + ' ' + first), std::string::npos);
}

TEST(text_report, has_colours_if_asked_for) {
    EXPECT_NE(text_report(of_two_allocators(), true).find("\x1b[32m"), std::string::npos);
}

} // namespace
} // namespace lowtide::bench
