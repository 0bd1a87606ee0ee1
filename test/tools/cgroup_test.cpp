// Control groups' limits, on made-up trees of both versions.
#include "cgroup.h"

#include "child.h"

#include <gtest/gtest.h>

namespace lowtide::tools {
namespace {

using test::temporary_folder;

constexpr const char* mounted_v2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";

TEST(cgroup, the_lowest_limit_of_all_groups_above_counts) {
    const temporary_folder root;
    root.write("proc/self/cgroup", "0::/a.slice/b.service\n");
    root.write("proc/self/mountinfo", mounted_v2);
    root.write("sys/fs/cgroup/a.slice/memory.max", "1073741824\n");
    root.write("sys/fs/cgroup/a.slice/b.service/memory.max", "max\n");
    root.write("sys/fs/cgroup/a.slice/b.service/memory.high", "536870912\n");
    root.write("sys/fs/cgroup/a.slice/cpu.max", "150000 100000\n");
    root.write("sys/fs/cgroup/a.slice/b.service/cpu.max", "max 100000\n");
    const cgroup_limits limits = read_cgroup_limits(root.path());
    EXPECT_EQ(limits.version, 2);
    EXPECT_EQ(limits.memory_max, 1u << 30);
    EXPECT_EQ(limits.memory_max_from, root.path() / "sys/fs/cgroup/a.slice");
    EXPECT_EQ(limits.memory_high, 512u << 20);
    EXPECT_EQ(limits.cpus, 1.5);
}

TEST(cgroup, a_container_sees_its_own_group_as_the_mount) {
    const temporary_folder root;
    root.write("proc/self/cgroup", "0::/docker/1234/inner\n");
    root.write("proc/self/mountinfo", "30 23 0:26 /docker/1234 /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n");
    root.write("sys/fs/cgroup/memory.max", "1000000\n");
    root.write("sys/fs/cgroup/inner/memory.max", "2000000\n");
    EXPECT_EQ(read_cgroup_limits(root.path()).memory_max, 1000000u);
}

TEST(cgroup, a_group_outside_of_the_mount_leaves_the_mounts_limit) {
    const temporary_folder root;
    root.write("proc/self/cgroup", "0::/../elsewhere\n");
    root.write("proc/self/mountinfo", mounted_v2);
    root.write("sys/fs/cgroup/memory.max", "1000000\n");
    EXPECT_EQ(read_cgroup_limits(root.path()).memory_max, 1000000u);
}

TEST(cgroup, version_1_has_a_hierarchy_for_each_controller) {
    const temporary_folder root;
    root.write("proc/self/cgroup", "7:memory:/group\n4:cpu,cpuacct:/group\n0::/\n");
    root.write("proc/self/mountinfo", "31 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
                                      "32 23 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n");
    root.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    root.write("sys/fs/cgroup/memory/group/memory.limit_in_bytes", "3000000\n");
    root.write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    root.write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    root.write("sys/fs/cgroup/cpu/group/cpu.cfs_quota_us", "25000\n");
    root.write("sys/fs/cgroup/cpu/group/cpu.cfs_period_us", "100000\n");
    const cgroup_limits limits = read_cgroup_limits(root.path());
    EXPECT_EQ(limits.version, 1);
    EXPECT_EQ(limits.memory_max, 3000000u);
    EXPECT_EQ(limits.cpus, 0.25);
}

TEST(cgroup, without_proc_and_sys_nothing_is_known) {
    const temporary_folder root;
    const cgroup_limits limits = read_cgroup_limits(root.path());
    EXPECT_EQ(limits.version, 0);
    EXPECT_FALSE(limits.memory_max || limits.memory_high || limits.cpus);
}

} // namespace
} // namespace lowtide::tools
