// The workloads: the same work each time, and every operation of it reaches the allocator.
#include "runner/key_values.h"
#include "runner/workload_process.h"
#include "support.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <sstream>

namespace lowtide::bench {
namespace {

constexpr seconds long_enough{100};

struct listed {
    std::string name;
    bool baseline;
};

std::ostream& operator<<(std::ostream& out, const listed& workload) {
    return out << workload.name;
}

std::vector<listed> all_workloads() {
    std::vector<listed> all;
    std::istringstream lines(supervisor().run({.words = {LOWTIDE_WORKLOADS, "--list"}}, long_enough).output);
    for (std::string line; std::getline(lines, line);)
        all.push_back({.name = line.substr(0, line.find('\t')),
                       .baseline = line.find("\tbaseline\t") != std::string::npos});
    return all;
}

class workloads : public testing::TestWithParam<listed> {
protected:
    key_values run(std::map<std::string, std::string> variables) const {
        const ended end = supervisor().run({.words = {LOWTIDE_WORKLOADS, "--scale", "0.001", GetParam().name},
                                            .variables = std::move(variables)},
                                           long_enough);
        EXPECT_TRUE(end.succeeded()) << end.reason();
        return key_values(end.output);
    }
};

TEST_P(workloads, do_the_same_work_each_time) {
    const key_values first = run({});
    const key_values second = run({});
    EXPECT_EQ(first.text("operations"), second.text("operations"));
    EXPECT_EQ(first.text("checksum"), second.text("checksum"));
    EXPECT_GT(first.number("operations"), 0);
}

TEST_P(workloads, ask_for_a_block_in_every_operation_or_for_none) {
    const scratch files;
    const std::filesystem::path count = files.path() / "count";
    const key_values said = run({{"LD_PRELOAD", LOWTIDE_FAKE_COUNTING}, {"FAKE_COUNT_FILE", count}});
    EXPECT_EQ(said.text("malloc"), LOWTIDE_FAKE_COUNTING);
    const double asked = std::stod(read_file(count));
    if (GetParam().baseline)
        EXPECT_LT(asked, 20) << "more than threads and output take";
    else
        EXPECT_GE(asked, said.number("operations")) << "the compiler left some out";
}

INSTANTIATE_TEST_SUITE_P(each, workloads, testing::ValuesIn(all_workloads()), [](const auto& tested) {
    std::string name = tested.param.name;
    std::ranges::replace_if(
        name, [](char c) { return c == '/' || c == '-'; }, '_');
    return name;
});

TEST(workload_program, needs_libc_alone) {
    const ended end = supervisor().run(
        {.words = {LOWTIDE_WORKLOADS}, .variables = {{"LD_TRACE_LOADED_OBJECTS", "1"}}}, long_enough);
    EXPECT_NE(end.output.find("libc.so.6"), std::string::npos) << end.output;
    for (const char* const other : {"libstdc++", "libm.so", "libgcc"})
        EXPECT_EQ(end.output.find(other), std::string::npos) << end.output;
}

TEST(workload_program, counts_no_stacks_of_blocked_threads_and_has_what_a_peak_held) {
    const auto run = [](const char* name) {
        return key_values(
            supervisor().run({.words = {LOWTIDE_WORKLOADS, "--scale", "0.01", name}}, long_enough).output);
    };
    const key_values blocked = run("ebb/blocked");
    EXPECT_LT(blocked.number("idle_1000_kib") + 100 * 4, blocked.number("peak_rss_kib"))
        << "100 threads have used a page of their stacks at least";
    EXPECT_GT(blocked.number("mappings"), 10);
    const key_values consumer = run("ebb/consumer");
    EXPECT_GE(consumer.number("peak_kib"), consumer.number("peak_live_kib"));
    EXPECT_GT(consumer.number("peak_live_kib"), 1500) << "of a hundredth of 200 MiB";
    EXPECT_LT(consumer.number("peak_live_kib"), 2500);
}

TEST(workload_list, has_those_for_any_threads_once_for_each_number) {
    const supervisor processes;
    const benchmark_list list =
        workload_benchmarks({.program = LOWTIDE_WORKLOADS, .scale = 1, .threads = {3, 5}}, processes);
    std::vector<std::string> names;
    for (const auto& each : list)
        if (each->about().group == "larson")
            names.push_back(each->about().name + " on " + std::to_string(each->about().threads));
    EXPECT_EQ(names, (std::vector<std::string>{"larson/3 on 3", "larson/5 on 5"}));
}

} // namespace
} // namespace lowtide::bench
