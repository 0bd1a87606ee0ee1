// Control groups, on made-up trees of both versions.
#include "os/cgroup.h"

#include "child.h"

#include <cerrno>
#include <fstream>
#include <gtest/gtest.h>
#include <malloc.h>
#include <pthread.h>

namespace lowtide::test {
namespace {

constexpr size_t none = os::control_group::unlimited;
constexpr const char* mounted_v2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
constexpr const char* mounted_v1 =
    "31 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "32 23 0:28 / /sys/fs/cgroup/cpu rw shared:7 master:2 - cgroup cgroup rw,cpu,cpuacct\n"
    "33 23 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

std::string mebibytes(size_t n) {
    return std::to_string(n << 20) + "\n";
}

class control_group : public testing::Test {
protected:
    void be_in(const std::string& groups, const std::string& mounts) const {
        root_.write("proc/self/cgroup", groups);
        root_.write("proc/self/mountinfo", mounts);
    }
    // A file below /sys/fs/cgroup.
    void write(const std::string& name, const std::string& text) const {
        root_.write("sys/fs/cgroup/" + name, text);
    }
    bool find() { return group_.find(root_.path().c_str()); }
    os::control_group::memory found() {
        find();
        return group_.read_memory();
    }
    std::string folder(const std::string& name) const { return root_.path() / "sys/fs/cgroup" / name; }

    const temporary_folder root_;
    os::control_group group_;
};

TEST_F(control_group, the_lowest_limit_of_all_groups_above_counts) {
    be_in("0::/a.slice/b.service\n", mounted_v2);
    write("a.slice/memory.max", "1073741824\n");
    write("a.slice/b.service/memory.max", "max\n");
    write("a.slice/b.service/memory.high", "536870912\n");
    write("a.slice/cpu.max", "150000 100000\n");
    write("a.slice/b.service/cpu.max", "max 100000\n");
    const auto memory = found();
    EXPECT_EQ(group_.version(), 2);
    EXPECT_EQ(memory.limit, size_t{1} << 30);
    EXPECT_EQ(group_.folder_of_limit(), folder("a.slice"));
    EXPECT_EQ(memory.high, size_t{512} << 20);
    EXPECT_EQ(group_.cpu_quota(), 1500u);
}

TEST_F(control_group, a_container_sees_its_own_group_as_the_mount) {
    be_in("0::/docker/1234/inner\n", "30 23 0:26 /docker/1234 /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n");
    write("memory.max", "1000000\n");
    write("inner/memory.max", "2000000\n");
    EXPECT_EQ(found().limit, 1000000u);
    write("inner/memory.max", "500000\n");
    EXPECT_EQ(found().limit, 500000u);
}

TEST_F(control_group, a_group_outside_of_the_mount_leaves_the_mounts_limit) {
    for (const char* elsewhere : {"0::/../elsewhere\n", "0::/docker/12345\n", "0::/docker\n"}) {
        be_in(elsewhere, "30 23 0:26 /docker/1234 /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n");
        write("memory.max", "1000000\n");
        write("5/memory.max", "5000\n");
        write("elsewhere/memory.max", "5000\n");
        EXPECT_EQ(found().limit, 1000000u) << elsewhere;
    }
    write("../memory.max", "5000\n");
    write("5/memory.max", "5000\n");
    for (const char* elsewhere : {"0::/../elsewhere\n", "0::/5/../elsewhere\n"}) {
        be_in(elsewhere, mounted_v2);
        EXPECT_EQ(found().limit, 1000000u) << elsewhere;
    }
}

TEST_F(control_group, of_several_mounts_the_one_counts_that_shows_the_own_group) {
    be_in("0::/docker/1234/inner\n", "30 23 0:26 /other /mnt/other rw - cgroup2 cgroup2 rw\n"
                                     "31 23 0:26 /docker/1234 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
                                     "32 23 0:26 /docker /mnt/docker rw - cgroup2 cgroup2 rw\n");
    root_.write("mnt/other/memory.max", "1000\n");
    root_.write("mnt/docker/memory.max", "1000\n");
    write("inner/memory.max", "2000000\n");
    EXPECT_EQ(found().limit, 2000000u);
}

TEST_F(control_group, version_1_has_a_hierarchy_for_each_controller) {
    be_in("7:memory:/group\n4:cpu,cpuacct:/other\n0::/\n", mounted_v1);
    write("memory/memory.limit_in_bytes", "9223372036854771712\n");
    write("memory/group/memory.limit_in_bytes", "3000000\n");
    write("memory/other/memory.limit_in_bytes", "1000\n");
    write("cpu/cpu.cfs_quota_us", "-1\n");
    write("cpu/cpu.cfs_period_us", "100000\n");
    write("cpu/other/cpu.cfs_quota_us", "25000\n");
    write("cpu/other/cpu.cfs_period_us", "100000\n");
    EXPECT_EQ(found().limit, 3000000u);
    write("memory/group/memory.limit_in_bytes", "9223372036854771712\n");
    EXPECT_EQ(group_.read_memory().limit, none);
    write("memory/group/memory.limit_in_bytes", "3000000\n");
    EXPECT_EQ(group_.read_memory().limit, 3000000u);
    EXPECT_EQ(group_.version(), 1);
    EXPECT_EQ(group_.folder_of_limit(), folder("memory/group"));
    EXPECT_EQ(group_.cpu_quota(), 250u);
}

TEST_F(control_group, a_controller_is_not_taken_for_one_whose_name_begins_alike) {
    be_in("4:cpuset:/set\n3:cpu:/group\n2:mem:/m\n0::/\n",
          "30 23 0:26 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
          "31 23 0:27 / /sys/fs/cgroup/mem rw - cgroup memory rw,mem\n"
          "32 23 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n");
    write("cpu/group/cpu.cfs_quota_us", "25000\n");
    write("cpu/group/cpu.cfs_period_us", "100000\n");
    EXPECT_FALSE(find());
    EXPECT_EQ(group_.version(), 0);
    EXPECT_EQ(group_.cpu_quota(), 250u); // it has no need of memory
}

TEST_F(control_group, without_proc_and_sys_nothing_is_known) {
    EXPECT_FALSE(find());
    EXPECT_EQ(group_.version(), 0);
    const auto memory = group_.read_memory();
    EXPECT_EQ(memory.limit, none);
    EXPECT_EQ(memory.high, none);
    EXPECT_EQ(memory.headroom, none);
    EXPECT_EQ(group_.folder_of_limit(), "");
    EXPECT_EQ(group_.cpu_quota(), 0u);
    EXPECT_EQ(group_.own_stalled_us(), -1);
}

TEST_F(control_group, nothing_is_remembered_of_a_group_that_is_no_longer_found) {
    be_in("0::/a\n", mounted_v2);
    write("a/memory.max", "1000000\n");
    write("a/cpu.max", "100000 100000\n");
    EXPECT_EQ(found().limit, 1000000u);
    const auto expect_nothing = [this] {
        EXPECT_EQ(group_.version(), 0);
        EXPECT_EQ(group_.folder_of_limit(), "");
        EXPECT_EQ(group_.read_memory().limit, none);
        EXPECT_EQ(group_.cpu_quota(), 0u);
    };
    be_in("", mounted_v2);
    EXPECT_FALSE(find());
    expect_nothing();
    be_in("0::/a\n", mounted_v2);
    EXPECT_EQ(found().limit, 1000000u);
    EXPECT_FALSE(group_.find(std::string(256, 'x').c_str()));
    expect_nothing();
}

TEST_F(control_group, a_process_that_has_moved_is_found_where_it_is) {
    be_in("0::/a\n", mounted_v2);
    write("a/memory.max", "1000000\n");
    write("b/memory.max", "2000000\n");
    EXPECT_EQ(found().limit, 1000000u);
    be_in("0::/b\n", mounted_v2);
    EXPECT_EQ(found().limit, 2000000u);
}

TEST_F(control_group, headroom_is_the_least_of_all_levels) {
    be_in("0::/a/b/c\n", mounted_v2);
    write("a/memory.max", mebibytes(1000)); // 100 left: the neighbours have the rest
    write("a/memory.current", mebibytes(900));
    write("a/b/memory.current", mebibytes(10));
    write("a/b/c/memory.max", mebibytes(500)); // 499 left
    write("a/b/c/memory.current", mebibytes(1));
    EXPECT_EQ(found().headroom, size_t{100} << 20);
    EXPECT_EQ(group_.read_memory().limit, size_t{500} << 20);
    write("a/b/c/memory.current", mebibytes(450));
    EXPECT_EQ(group_.read_memory().headroom, size_t{50} << 20);
}

TEST_F(control_group, headroom_ends_at_high_where_that_is_lower) {
    be_in("0::/a\n", mounted_v2);
    write("a/memory.max", mebibytes(1000));
    write("a/memory.high", mebibytes(800));
    write("a/memory.current", mebibytes(500));
    EXPECT_EQ(found().headroom, size_t{300} << 20);
    write("a/memory.max", mebibytes(700));
    EXPECT_EQ(group_.read_memory().headroom, size_t{200} << 20);
}

TEST_F(control_group, above_a_limit_there_is_no_headroom) {
    be_in("0::/a\n", mounted_v2);
    write("a/memory.high", mebibytes(100));
    write("a/memory.current", mebibytes(101));
    EXPECT_EQ(found().headroom, 0u);
    write("a/memory.current", mebibytes(100));
    EXPECT_EQ(group_.read_memory().headroom, 0u);
    write("a/memory.high", "0\n");
    EXPECT_EQ(group_.read_memory().headroom, 0u);
}

TEST_F(control_group, a_limit_without_a_known_usage_leaves_the_headroom_unknown) {
    be_in("0::/a\n", mounted_v2);
    write("a/memory.max", mebibytes(100));
    EXPECT_EQ(found().limit, size_t{100} << 20);
    EXPECT_EQ(group_.read_memory().headroom, none);
}

TEST_F(control_group, the_file_cache_counts_as_free_near_the_limit) {
    be_in("0::/a\n", mounted_v2);
    write("a/memory.max", mebibytes(800));
    write("a/memory.current", mebibytes(790));
    // As the kernel writes it: more than a buffer, and other keys that end alike.
    std::string stat = "anon " + mebibytes(300);
    for (int i = 0; i < 100; ++i)
        stat += "some_other_counter_" + std::to_string(i) + " 123456789\n";
    stat += "total_inactive_file " + mebibytes(1) + "inactive_anon " + mebibytes(2) + "active_anon " +
            mebibytes(4) + "inactive_file " + mebibytes(200) + "active_file " + mebibytes(50) +
            "unevictable 0\n";
    write("a/memory.stat", stat);
    EXPECT_EQ(found().headroom, size_t{260} << 20);
    write("a/memory.current", mebibytes(100)); // the cache can't be more; then all is free
    EXPECT_EQ(group_.read_memory().headroom, size_t{700} << 20);
    write("a/memory.max", mebibytes(100));
    EXPECT_EQ(group_.read_memory().headroom, size_t{100} << 20);
}

TEST_F(control_group, the_file_cache_is_not_asked_for_far_below_the_limit) {
    be_in("0::/a\n", mounted_v2);
    write("a/memory.max", mebibytes(800));
    write("a/memory.stat", "inactive_file " + mebibytes(200));
    write("a/memory.current", mebibytes(700)); // 7/8
    EXPECT_EQ(found().headroom, size_t{100} << 20);
    write("a/memory.current", std::to_string((700 << 20) + 1));
    EXPECT_EQ(group_.read_memory().headroom, (size_t{300} << 20) - 1);
}

TEST_F(control_group, version_1_counts_the_file_cache_of_the_groups_below_too) {
    be_in("7:memory:/a\n", mounted_v1);
    write("memory/a/memory.limit_in_bytes", mebibytes(800));
    write("memory/a/memory.usage_in_bytes", mebibytes(790));
    write("memory/a/memory.stat", "inactive_file 1\nactive_file 1\ntotal_inactive_file " + mebibytes(100) +
                                      "total_active_file " + mebibytes(60) + "total_unevictable 0\n");
    const auto memory = found();
    EXPECT_EQ(memory.limit, size_t{800} << 20);
    EXPECT_EQ(memory.high, none);
    EXPECT_EQ(memory.headroom, size_t{170} << 20);
}

TEST_F(control_group, version_1_knows_groups_that_are_not_charged_for_those_below) {
    be_in("7:memory:/a/b/c\n", mounted_v1);
    write("memory/memory.limit_in_bytes", mebibytes(1)); // nonsense, to be seen
    write("memory/memory.use_hierarchy", "1\n");
    write("memory/a/memory.limit_in_bytes", mebibytes(100));
    write("memory/a/memory.use_hierarchy", "0\n");
    write("memory/a/b/memory.limit_in_bytes", mebibytes(200));
    write("memory/a/b/memory.use_hierarchy", "1\n");
    write("memory/a/b/c/memory.limit_in_bytes", mebibytes(300));
    write("memory/a/b/c/memory.use_hierarchy", "1\n");
    EXPECT_EQ(found().limit, size_t{200} << 20);
    write("memory/a/memory.use_hierarchy", "1\n");
    EXPECT_EQ(found().limit, size_t{1} << 20);
    write("memory/a/b/c/memory.use_hierarchy", "0\n");
    EXPECT_EQ(found().limit, size_t{300} << 20);
}

TEST_F(control_group, version_1_with_an_empty_unified_hierarchy_is_version_1) {
    be_in("7:memory:/a\n0::/a\n", mounted_v1);
    write("memory/a/memory.limit_in_bytes", mebibytes(100));
    write("unified/a/memory.max", mebibytes(50)); // which no kernel has in both
    EXPECT_EQ(found().limit, size_t{100} << 20);
    EXPECT_EQ(group_.version(), 1);
}

TEST_F(control_group, version_2_has_the_controllers_that_version_1_does_not) {
    be_in("4:cpu,cpuacct:/other\n0::/a\n", mounted_v1);
    write("unified/a/memory.max", mebibytes(50));
    write("cpu/other/cpu.cfs_quota_us", "25000\n");
    write("cpu/other/cpu.cfs_period_us", "100000\n");
    EXPECT_EQ(found().limit, size_t{50} << 20);
    EXPECT_EQ(group_.version(), 2);
    EXPECT_EQ(group_.cpu_quota(), 250u);
}

TEST_F(control_group, escapes_in_mountinfo_are_decoded) {
    be_in("0::/my group/a:b\n",
          "30 23 0:26 /my\\040group /sys/fs/cgroup/a\\040b\\134c\\011 rw - cgroup2 cgroup2 rw\n");
    write("a b\\c\t/a:b/memory.max", mebibytes(50));
    EXPECT_EQ(found().limit, size_t{50} << 20);
    be_in("0::/\n", "30 23 0:26 / /sys/fs/cgroup/\\04 rw - cgroup2 cgroup2 rw\n"); // none
    write("\\04/memory.max", mebibytes(60));
    EXPECT_EQ(found().limit, size_t{60} << 20);
}

TEST_F(control_group, the_source_of_a_mount_is_any_text_or_none) {
    be_in("7:memory:/a\n", "31 23 0:27 / /sys/fs/cgroup/other rw - cgroup other,memory,other rw,other\n"
                           "31 23 0:27 / /sys/fs/cgroup/memory rw - cgroup  rw,memory\n");
    write("memory/a/memory.limit_in_bytes", mebibytes(100));
    write("other/a/memory.limit_in_bytes", mebibytes(1));
    EXPECT_EQ(found().limit, size_t{100} << 20);
}

TEST_F(control_group, a_long_mountinfo_is_read_to_its_end) {
    std::string mounts;
    for (int i = 0; i < 1000; ++i)
        mounts += std::to_string(100 + i) + " 23 0:" + std::to_string(i) + " / /var/lib/layers/" +
                  std::string(static_cast<size_t>(i % 300), 'x') + " rw - overlay overlay rw\n";
    // A line too long, whose end looks like one that matters.
    mounts += "40 23 0:40 / /long rw - overlay overlay rw,lowerdir=" + std::string(100'000, 'y') +
              " 2 3 / /trap rw - cgroup2 cgroup2 rw\n";
    root_.write("trap/a/memory.max", mebibytes(1));
    be_in("0::/a\n", mounts + mounted_v2);
    ASSERT_GT(mounts.size(), 200'000u);
    write("a/memory.max", mebibytes(50));
    EXPECT_EQ(found().limit, size_t{50} << 20);
}

TEST_F(control_group, the_reading_of_an_endless_mountinfo_ends) {
    const std::string mounts(2 << 20, '\n');
    be_in("0::/a\n", mounts + mounted_v2);
    EXPECT_FALSE(find());
}

TEST_F(control_group, a_final_newline_is_not_needed) {
    be_in("7:memory:/a", "31 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory");
    write("memory/a/memory.limit_in_bytes", "1000000");
    write("memory/a/memory.usage_in_bytes", "990000");
    write("memory/a/memory.stat", "total_active_file 5000");
    EXPECT_EQ(found().headroom, 15'000u);
}

TEST_F(control_group, what_is_no_number_is_no_limit) {
    be_in("0::/a\n", mounted_v2);
    const std::string much(100, '9');
    for (const std::string& text :
         {std::string(), std::string("\n"), std::string("max\n"), std::string("-1\n"), std::string("12x\n"),
          std::string("12 13\n"), std::string("0x10\n"), std::string("\0\0\0\0", 4),
          std::string("99999999999999999999\n"), std::string("18446744073709551621\n"),
          std::string("5") + std::string(100, ' '), much, std::string(10'000, '1'),
          std::string(70, ' ') + "5"}) {
        write("a/memory.max", text);
        write("a/memory.high", text);
        write("a/cpu.max", text + " " + text);
        EXPECT_EQ(found().limit, none) << text;
        EXPECT_EQ(group_.read_memory().high, none) << text;
        EXPECT_EQ(group_.cpu_quota(), 0u) << text;
    }
    write("a/memory.max", " 17\t\n");
    EXPECT_EQ(found().limit, 17u);
}

TEST_F(control_group, a_broken_usage_or_cache_is_survived) {
    be_in("0::/a\n", mounted_v2);
    write("a/memory.max", mebibytes(100));
    write("a/memory.current", "much\n");
    EXPECT_EQ(found().headroom, none);
    write("a/memory.current", mebibytes(99));
    for (const std::string& text :
         {std::string(), std::string("\n\n\n"), std::string("inactive_file\n"),
          std::string("inactive_file many\nactive_file -5\n"), "inactive_file" + std::string(5000, '1')}) {
        write("a/memory.stat", text);
        EXPECT_EQ(group_.read_memory().headroom, size_t{1} << 20) << text;
    }
    write("a/memory.stat", "inactive_file 18446744073709551615\nactive_file 18446744073709551615\n");
    EXPECT_EQ(group_.read_memory().headroom, size_t{100} << 20);
}

TEST_F(control_group, broken_tables_of_groups_and_mounts_are_survived) {
    const std::string pieces[] = {"",
                                  "\n",
                                  ":",
                                  "0",
                                  "0::",
                                  "0::\n",
                                  ":::::",
                                  "0:memory\n",
                                  "memory",
                                  " - ",
                                  " - cgroup2",
                                  "1 2 3 4 5 6 - cgroup2 x",
                                  "- - - - - - - - -\n",
                                  std::string(20'000, ':'),
                                  std::string(20'000, ' ')};
    for (const std::string& groups : pieces)
        for (const std::string& mounts : pieces) {
            be_in(groups, mounts);
            find();
            EXPECT_EQ(group_.read_memory().limit, none) << groups << mounts;
        }
    for (const std::string& piece : pieces) {
        be_in(piece, mounted_v2);
        EXPECT_FALSE(find()) << piece;
        be_in("0::/\n", piece);
        EXPECT_EQ(found().limit, none) << piece;
        be_in(piece + "\n0::/a\n", piece + "\n" + mounted_v2);
        write("a/memory.max", "5000\n");
        EXPECT_EQ(found().limit, 5000u) << piece;
    }
}

TEST_F(control_group, every_level_of_ten_counts) {
    std::string path;
    for (int i = 0; i < 10; ++i)
        path += "/level" + std::to_string(i);
    be_in("0::" + path + "\n", mounted_v2);
    std::string level;
    for (size_t i = 0; i < 10; ++i) {
        level += "/level" + std::to_string(i);
        write(level + "/memory.max", mebibytes(100 + i));
        write(level + "/memory.current", mebibytes(10));
    }
    EXPECT_EQ(found().limit, size_t{100} << 20);
    EXPECT_EQ(group_.folder_of_limit(), folder("level0"));
    EXPECT_EQ(group_.read_memory().headroom, size_t{90} << 20);
    write(path + "/memory.max", mebibytes(99));
    EXPECT_EQ(group_.read_memory().headroom, size_t{89} << 20);
    EXPECT_EQ(group_.folder_of_limit(), folder(path.substr(1)));
}

TEST_F(control_group, the_limit_above_a_hundred_levels_counts_too) {
    std::string path;
    for (int i = 0; i < 100; ++i)
        path += "/l";
    be_in("0::" + path + "\n", mounted_v2);
    write("l/l/memory.max", mebibytes(100));
    write("l/l/memory.current", mebibytes(10));
    EXPECT_EQ(found().headroom, size_t{90} << 20);
}

TEST_F(control_group, a_path_too_long_is_not_found) {
    const std::string step(200, 's');
    std::string path;
    for (int i = 0; i < 6; ++i)
        path += "/" + step;
    be_in("0::" + path + "\n", mounted_v2);
    EXPECT_FALSE(find());
    be_in("0::" + path.substr(0, path.size() - 201 * 2) + "\n", mounted_v2);
    write(step + "/memory.max", mebibytes(100));
    EXPECT_EQ(found().limit, size_t{100} << 20);
    be_in("0::/\n", mounted_v2);
    const std::string root = root_.path();
    EXPECT_TRUE(group_.find((std::string(255 - root.size(), '/') + root).c_str()));
    EXPECT_FALSE(group_.find((std::string(255 - root.size(), '/') + root + "x").c_str()));
}

TEST_F(control_group, a_limit_that_changes_is_seen_at_the_next_reading) {
    be_in("0::/a\n", mounted_v2);
    write("a/memory.max", mebibytes(100));
    EXPECT_EQ(found().limit, size_t{100} << 20);
    write("a/memory.max", mebibytes(50));
    write("a/memory.high", mebibytes(40));
    EXPECT_EQ(group_.read_memory().limit, size_t{50} << 20);
    EXPECT_EQ(group_.read_memory().high, size_t{40} << 20);
    write("a/memory.max", "max\n");
    EXPECT_EQ(group_.read_memory().limit, none);
    EXPECT_EQ(group_.folder_of_limit(), "");
}

TEST_F(control_group, a_level_that_had_no_limit_is_read_from_the_next_find_on) {
    be_in("0::/a/b\n", mounted_v2);
    write("a/b/memory.max", mebibytes(100));
    EXPECT_EQ(found().limit, size_t{100} << 20);
    write("a/memory.max", mebibytes(50));
    EXPECT_EQ(group_.read_memory().limit, size_t{100} << 20);
    EXPECT_EQ(found().limit, size_t{50} << 20);
}

TEST_F(control_group, the_lowest_quota_of_all_levels_counts) {
    be_in("0::/a/b/c\n", mounted_v2);
    write("a/cpu.max", "400000 100000\n");
    write("a/b/cpu.max", "33333 50000\n");
    write("a/b/c/cpu.max", "max 100000\n");
    find();
    EXPECT_EQ(group_.cpu_quota(), 667u);
    write("a/b/cpu.max", "1 100000\n"); // never so little that it means none
    EXPECT_EQ(group_.cpu_quota(), 1u);
    write("a/b/cpu.max", "max 100000\n");
    EXPECT_EQ(group_.cpu_quota(), 4000u);
    for (const char* broken : {"400000 0\n", "400000\n", "18446744073709551615 1\n", "max\n"}) {
        write("a/cpu.max", broken);
        EXPECT_EQ(group_.cpu_quota(), 0u) << broken;
    }
}

TEST_F(control_group, version_1s_lowest_quota_counts) {
    be_in("7:memory:/\n4:cpu,cpuacct:/a/b\n", mounted_v1);
    write("cpu/a/cpu.cfs_quota_us", "150000\n");
    write("cpu/a/cpu.cfs_period_us", "100000\n");
    write("cpu/a/b/cpu.cfs_quota_us", "800000\n");
    write("cpu/a/b/cpu.cfs_period_us", "200000\n");
    find();
    EXPECT_EQ(group_.cpu_quota(), 1500u);
    write("cpu/a/cpu.cfs_quota_us", "-1\n");
    EXPECT_EQ(group_.cpu_quota(), 4000u);
}

constexpr const char* pressure = "some avg10=0.00 avg60=1.25 avg300=0.00 total=17343\n"
                                 "full avg10=0.00 avg60=0.00 avg300=0.00 total=9381\n";

TEST_F(control_group, time_stalled_is_the_own_groups_and_the_machines) {
    be_in("0::/a\n", mounted_v2);
    write("a/memory.pressure", pressure);
    root_.write("proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n");
    find();
    EXPECT_EQ(group_.own_stalled_us(), 17343);
    EXPECT_EQ(group_.machine_stalled_us(), 5);
}

// Tasks of any group may wait at a limit of their own.
TEST_F(control_group, time_stalled_of_the_root_is_nobodys_own) {
    be_in("0::/\n", mounted_v2);
    write("memory.pressure", pressure);
    root_.write("proc/pressure/memory", pressure);
    find();
    EXPECT_EQ(group_.own_stalled_us(), -1);
    EXPECT_EQ(group_.machine_stalled_us(), 17343);
}

TEST_F(control_group, beside_version_1_the_unified_hierarchy_has_the_time_stalled) {
    be_in("7:memory:/a\n0::/b\n", mounted_v1);
    write("unified/b/memory.pressure", pressure);
    find();
    EXPECT_EQ(group_.version(), 1);
    EXPECT_EQ(group_.own_stalled_us(), 17343);
}

TEST_F(control_group, time_stalled_may_be_unknown) {
    find(); // no group at all
    EXPECT_EQ(group_.own_stalled_us(), -1);
    EXPECT_EQ(group_.machine_stalled_us(), -1);
    be_in("0::/a\n", mounted_v2);
    find();
    EXPECT_EQ(group_.own_stalled_us(), -1);
    for (const char* broken : {"", "some\n", "some total=\n", "some total=-3\n", "full total=7\n",
                               "some total=18446744073709551615\n", "something total=8\n"}) {
        write("a/memory.pressure", broken);
        root_.write("proc/pressure/memory", broken);
        EXPECT_EQ(group_.own_stalled_us(), -1) << broken;
        EXPECT_EQ(group_.machine_stalled_us(), -1) << broken;
    }
    write("a/memory.pressure", "some total=0");
    EXPECT_EQ(group_.own_stalled_us(), 0);
}

TEST_F(control_group, neither_malloc_nor_errno_nor_a_large_stack_is_needed) {
    be_in("7:memory:/a/b\n4:cpu,cpuacct:/a\n0::/\n", mounted_v1);
    write("memory/a/memory.limit_in_bytes", mebibytes(100));
    write("memory/a/memory.usage_in_bytes", mebibytes(99));
    write("memory/a/memory.stat", "total_inactive_file " + mebibytes(4));
    struct task {
        const temporary_folder& root;
        os::control_group& group;
        size_t headroom = 0;
        int error = 0;
        bool allocated = true;
    } what{root_, group_};
    pthread_attr_t attributes;
    ASSERT_EQ(pthread_attr_init(&attributes), 0);
    ASSERT_EQ(pthread_attr_setstacksize(&attributes, 64 * 1024), 0);
    pthread_t thread{};
    const auto body = [](void* argument) -> void* {
        auto& here = *static_cast<task*>(argument);
        const size_t before = mallinfo2().uordblks;
        errno = 77;
        here.group.find(here.root.path().c_str());
        here.headroom = here.group.read_memory().headroom;
        static_cast<void>(here.group.cpu_quota());
        static_cast<void>(here.group.own_stalled_us());
        static_cast<void>(here.group.machine_stalled_us());
        here.error = errno;
        here.allocated = mallinfo2().uordblks != before;
        return nullptr;
    };
    ASSERT_EQ(pthread_create(&thread, &attributes, body, &what), 0);
    ASSERT_EQ(pthread_join(thread, nullptr), 0);
    pthread_attr_destroy(&attributes);
    EXPECT_EQ(what.headroom, size_t{5} << 20);
    EXPECT_EQ(what.error, 77);
    EXPECT_FALSE(what.allocated);
}

TEST_F(control_group, no_descriptor_and_no_mapping_is_left_behind) {
    be_in("0::/a\n", mounted_v2);
    write("a/memory.max", mebibytes(100));
    write("a/memory.current", mebibytes(99));
    write("a/memory.stat", "inactive_file 1\n");
    const auto files_and_pages = [] {
        using std::filesystem::directory_iterator;
        size_t pages = 0; // of address space: mappings side by side count as one
        std::ifstream("/proc/self/statm") >> pages;
        return std::pair(std::distance(directory_iterator("/proc/self/fd"), {}), pages);
    };
    constexpr size_t rounds = 500;
    const auto before = files_and_pages();
    for (size_t i = 0; i < rounds; ++i) {
        find();
        group_.read_memory();
        static_cast<void>(group_.cpu_quota());
        static_cast<void>(group_.own_stalled_us());
        static_cast<void>(group_.machine_stalled_us());
    }
    const auto after = files_and_pages();
    EXPECT_EQ(after.first, before.first);
    EXPECT_LT(after.second, before.second + rounds);
}

constinit os::control_group beginning; // .bss: no constructor runs

TEST(control_groups_of_this_machine, are_read_without_a_fault) {
    EXPECT_EQ(beginning.version(), 0);
    EXPECT_EQ(beginning.read_memory().limit, none);
    const bool found = beginning.find("");
    EXPECT_EQ(found, beginning.version() != 0);
    const auto memory = beginning.read_memory();
    EXPECT_EQ(memory.limit != none, !beginning.folder_of_limit().empty());
    if (memory.limit == none && memory.high == none) {
        EXPECT_EQ(memory.headroom, none);
    }
}

} // namespace
} // namespace lowtide::test
