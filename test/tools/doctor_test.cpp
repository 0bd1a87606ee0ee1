// `lowtide doctor`: what it makes of a machine.
#include "doctor.h"

#include "child.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lowtide::tools {
namespace {

using test::child;
using test::child_result;
using test::temporary_folder;

fact fact_of(const std::vector<fact>& facts, const std::string& key) {
    for (const fact& f : facts)
        if (f.key == key)
            return f;
    ADD_FAILURE() << "no fact " << key;
    return {};
}

TEST(doctor, without_proc_and_sys_it_says_unknown) {
    const temporary_folder root;
    const std::vector<fact> facts = examine_machine(root.path());
    for (const char* key : {"huge_pages", "overcommit", "memory_limit", "max_map_count"})
        EXPECT_EQ(fact_of(facts, key).value, "unknown") << key;
    for (const char* key : {"kernel", "glibc", "page_size", "rseq", "processors"})
        EXPECT_NE(fact_of(facts, key).value, "unknown") << key;
}

TEST(doctor, every_fact_has_a_value_and_one_sentence) {
    for (const fact& f : examine_machine("/")) {
        EXPECT_FALSE(f.value.empty()) << f.key;
        EXPECT_TRUE(f.meaning.ends_with('.')) << f.key;
    }
}

TEST(doctor, reads_what_the_kernel_says) {
    const temporary_folder root;
    root.write("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
    root.write("proc/sys/vm/overcommit_memory", "2\n");
    root.write("proc/sys/vm/overcommit_ratio", "50\n");
    root.write("proc/sys/vm/max_map_count", "1000\n");
    const std::vector<fact> facts = examine_machine(root.path());
    EXPECT_EQ(fact_of(facts, "huge_pages").value, "madvise");
    EXPECT_EQ(fact_of(facts, "overcommit").value, "2, ratio 50 %");
    EXPECT_EQ(fact_of(facts, "max_map_count").value, "1000");
    EXPECT_NE(fact_of(facts, "max_map_count").meaning.find("fewer than usual"), std::string::npos);
}

TEST(doctor, tells_the_limits_of_control_groups) {
    const temporary_folder root;
    root.write("proc/self/cgroup", "0::/a\n");
    root.write("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    EXPECT_EQ(fact_of(examine_machine(root.path()), "memory_limit").value, "none (cgroup v2)");
    root.write("sys/fs/cgroup/a/memory.max", "1073741824\n");
    root.write("sys/fs/cgroup/a/memory.high", "536870912\n");
    root.write("sys/fs/cgroup/a/cpu.max", "150000 100000\n");
    const std::vector<fact> facts = examine_machine(root.path());
    EXPECT_EQ(fact_of(facts, "memory_limit").value, "1 GiB (cgroup v2)");
    EXPECT_NE(fact_of(facts, "memory_limit").meaning.find(root.path() / "sys/fs/cgroup/a)"),
              std::string::npos);
    EXPECT_EQ(fact_of(facts, "memory_high").value, "512 MiB");
    EXPECT_TRUE(fact_of(facts, "processors").value.ends_with(", a quota of 1.5"));
}

TEST(doctor, tells_json) {
    const child_result result = child{{LOWTIDE_COMMAND, "doctor", "--json"}, {}, {}, "/", 0}.run();
    EXPECT_EQ(result.exit_code(), 0);
    const auto tree = nlohmann::json::parse(result.output);
    EXPECT_FALSE(tree.at("rseq").at("value").get<std::string>().empty());
    EXPECT_FALSE(tree.at("rseq").at("meaning").get<std::string>().empty());
}

TEST(doctor, knows_that_the_tunable_switches_restartable_sequences_off) {
    const child_result result =
        child{{LOWTIDE_COMMAND, "doctor", "--json"}, {{"GLIBC_TUNABLES", "glibc.pthread.rseq=0"}}, {}, "/", 0}
            .run();
    const auto rseq = nlohmann::json::parse(result.output).at("rseq");
    EXPECT_EQ(rseq.at("value"), "no");
    EXPECT_NE(rseq.at("meaning").get<std::string>().find("Lowtide's caches are behind locks"),
              std::string::npos);
}

TEST(doctor, knows_the_limits_that_it_runs_under) {
    const child_result result =
        child{{"/bin/sh", "-c", "ulimit -v 1099511627776; exec \"$0\" doctor --json", LOWTIDE_COMMAND},
              {},
              {},
              "/",
              0}
            .run();
    EXPECT_EQ(nlohmann::json::parse(result.output).at("rlimit_as").at("value"), "1 PiB");
}

} // namespace
} // namespace lowtide::tools
