// What the watch makes of control groups, pressure and the process's own memory, by an injected clock and on
// made-up files of version 2.
#include "entry/watch.h"

#include "child.h"

#include <gtest/gtest.h>

namespace lowtide::test {
namespace {

uint64_t the_time = 0;
size_t the_anonymous_memory = 0;
bool memory_scarce = false;

class watch_test : public testing::Test {
protected:
    watch_test() {
        the_time = 1'000'000;
        memory_scarce = false;
        root_.write("proc/self/cgroup", "0::/a\n");
        root_.write("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
        group("memory.max", "max\n");
        group("memory.stat", "inactive_file 0\n");
        hold(100 * mebibyte);
    }

    void group(const std::string& file, const std::string& text) const {
        root_.write("sys/fs/cgroup/a/" + file, text);
    }
    void limit(size_t bytes, size_t used) const {
        group("memory.max", std::to_string(bytes) + "\n");
        group("memory.current", std::to_string(used) + "\n");
    }
    void stall(uint64_t group_us, uint64_t machine_us) const {
        const auto line = [](uint64_t us) { return "some avg10=0.00 total=" + std::to_string(us) + "\n"; };
        group("memory.pressure", line(group_us));
        root_.write("proc/pressure/memory", line(machine_us));
    }
    // So much is held, and is in memory.
    void hold(size_t bytes) {
        limits_.set_in_blocks(bytes);
        the_anonymous_memory = bytes;
    }
    void look(bool attended = true, size_t dirty = 0) { watch_.look(attended, dirty); }
    void look_later(bool attended = true, size_t dirty = 0) {
        the_time += 100;
        look(attended, dirty);
    }

    const temporary_folder root_;
    const std::string path_ = root_.path();
    const watched_system system_{.root = path_.c_str(),
                                 .now_ms = []() noexcept { return the_time; },
                                 .anonymous_resident_bytes = []() noexcept { return the_anonymous_memory; },
                                 .memory_is_scarce = []() noexcept { return memory_scarce; }};
    options settings_;
    ceiling limits_;
    os::control_group group_;
    watch watch_{&limits_, &settings_, &group_, &system_};
};

constexpr size_t mib = mebibyte;

TEST_F(watch_test, without_a_limit_there_is_no_soft_limit) {
    look();
    EXPECT_EQ(limits_.soft(), SIZE_MAX);
    EXPECT_EQ(limits_.dirty_unattended(), SIZE_MAX);
    EXPECT_FALSE(watch_.asks_for_relief());
}

TEST_F(watch_test, the_soft_limit_is_what_the_group_leaves_but_for_a_sixteenth) {
    limit(256 * mib, 160 * mib); // 60 of it are other processes'
    look();
    EXPECT_EQ(limits_.soft(), (100 + 96 - 16) * mib);
    limit(256 * mib, 250 * mib);
    look_later();
    EXPECT_EQ(limits_.soft(), (100 + 6 - 16) * mib);
    limit(256 * mib, 256 * mib);
    hold(10 * mib);
    look_later();
    EXPECT_EQ(limits_.soft(), 0u);
}

TEST_F(watch_test, the_option_counts_where_it_is_lower) {
    settings_.limit = 120 * mib;
    watch_.apply_options();
    EXPECT_EQ(limits_.soft(), 120 * mib);
    limit(256 * mib, 160 * mib);
    look();
    EXPECT_EQ(limits_.soft(), 120 * mib);
    settings_.limit = 0;
    settings_.hard_limit = 300 * mib;
    watch_.apply_options();
    EXPECT_EQ(limits_.soft(), 180 * mib);
    EXPECT_EQ(limits_.hard(), 300 * mib);
}

TEST_F(watch_test, who_does_not_want_it_has_no_limit_by_the_group) {
    settings_.pressure = false;
    limit(256 * mib, 250 * mib);
    look();
    EXPECT_EQ(limits_.soft(), SIZE_MAX);
}

TEST_F(watch_test, looks_are_a_tenth_of_a_second_apart) {
    limit(256 * mib, 160 * mib);
    look();
    limit(256 * mib, 200 * mib);
    the_time += 99;
    look();
    EXPECT_EQ(limits_.soft(), 180 * mib);
    the_time += 1;
    look();
    EXPECT_EQ(limits_.soft(), 140 * mib);
}

TEST_F(watch_test, a_look_comes_early_when_a_quarter_of_the_way_has_gone) {
    limit(256 * mib, 160 * mib);
    look(); // 80 MiB away
    limit(256 * mib, 180 * mib);
    hold(119 * mib);
    look();
    EXPECT_FALSE(watch_.is_look_due());
    EXPECT_EQ(limits_.soft(), 180 * mib);
    hold(120 * mib);
    EXPECT_TRUE(watch_.is_look_due());
    look();
    EXPECT_EQ(limits_.soft(), (120 + 76 - 16) * mib);
    EXPECT_FALSE(watch_.is_look_due());
}

// What is free may not be there any more, and is when it is used again: nothing more is held then.
TEST_F(watch_test, a_look_comes_early_when_as_much_has_been_taken) {
    limit(256 * mib, 160 * mib);
    look();
    limit(256 * mib, 200 * mib);
    limits_.note_taken(19 * mib);
    EXPECT_FALSE(watch_.is_look_due());
    limits_.note_taken(1 * mib);
    EXPECT_TRUE(watch_.is_look_due());
    look();
    EXPECT_EQ(limits_.soft(), 140 * mib);
    EXPECT_FALSE(watch_.is_look_due());
    limits_.note_taken(9 * mib);
    EXPECT_FALSE(watch_.is_look_due());
}

TEST_F(watch_test, attention_is_called_for_when_a_look_is_due) {
    limit(256 * mib, 160 * mib);
    look();
    watch_.expect_attention();
    EXPECT_FALSE(limits_.is_attention_due());
    limits_.note_taken(20 * mib);
    EXPECT_TRUE(limits_.is_attention_due());
    look();
    watch_.expect_attention();
    EXPECT_FALSE(limits_.is_attention_due());
    hold(120 * mib);
    EXPECT_TRUE(limits_.is_attention_due());
}

TEST_F(watch_test, dirty_memory_that_is_not_there_is_taken_off) {
    limit(256 * mib, 160 * mib);
    the_anonymous_memory = 70 * mib;
    look(true, 0);
    EXPECT_EQ(limits_.soft(), 180 * mib) << "the program has never touched it";
    look_later(true, 20 * mib);
    EXPECT_EQ(limits_.soft(), 160 * mib);
    look_later(true, 50 * mib);
    EXPECT_EQ(limits_.soft(), 150 * mib);
    the_anonymous_memory = SIZE_MAX; // it can't be known
    look_later(true, 50 * mib);
    EXPECT_EQ(limits_.soft(), 180 * mib);
}

TEST_F(watch_test, nobody_attends_where_there_is_no_thread_for_it) {
    limit(256 * mib, 160 * mib);
    look(false);
    EXPECT_EQ(limits_.dirty_unattended(), 4 * mib);
    look_later(true);
    EXPECT_EQ(limits_.dirty_unattended(), SIZE_MAX);
    look_later(false);
    group("memory.max", "max\n");
    the_time += 10'000; // then it is looked for
    look(false);
    EXPECT_EQ(limits_.dirty_unattended(), SIZE_MAX);
    EXPECT_EQ(limits_.soft(), SIZE_MAX);
}

TEST_F(watch_test, what_a_large_process_was_told_a_small_one_forgets) {
    limit(256 * mib, 160 * mib);
    group("cpu.max", "50000 100000\n");
    look(false);
    EXPECT_EQ(watch_.cpu_quota(), 500u);
    hold(7 * mib);
    look_later(false);
    EXPECT_EQ(limits_.soft(), SIZE_MAX);
    EXPECT_EQ(limits_.dirty_unattended(), SIZE_MAX);
    EXPECT_EQ(watch_.cpu_quota(), 0u);
    hold(8 * mib);
    EXPECT_TRUE(watch_.is_look_due());
}

TEST_F(watch_test, relief_is_asked_for_above_the_soft_limit_and_not_again_and_again) {
    limit(256 * mib, 250 * mib);
    look();
    EXPECT_TRUE(watch_.asks_for_relief());
    watch_.note_relief(); // 100 MiB are still held: the program needs them
    EXPECT_FALSE(watch_.asks_for_relief());
    hold(101 * mib);
    EXPECT_FALSE(watch_.asks_for_relief());
    hold(102 * mib);
    EXPECT_TRUE(watch_.asks_for_relief()) << "a sixty-fourth more";
    watch_.note_relief();
    the_time += 199;
    EXPECT_FALSE(watch_.asks_for_relief());
    the_time += 1;
    EXPECT_TRUE(watch_.asks_for_relief());
    hold(80 * mib);
    EXPECT_FALSE(watch_.asks_for_relief()) << "below the limit";
}

TEST_F(watch_test, while_tasks_of_the_group_wait_for_memory_nothing_may_stay) {
    stall(1000, 1000);
    look();
    EXPECT_EQ(limits_.soft(), SIZE_MAX) << "what was before isn't known";
    stall(1000 + 10'000, 1000);
    look_later();
    EXPECT_EQ(limits_.soft(), SIZE_MAX) << "a tenth of the time";
    stall(1000 + 10'000 + 10'001, 1000);
    look_later();
    EXPECT_EQ(limits_.soft(), 0u);
    for (int i = 0; i < 9; ++i)
        look_later();
    EXPECT_EQ(limits_.soft(), 0u) << "for a second";
    look_later();
    EXPECT_EQ(limits_.soft(), SIZE_MAX);
}

TEST_F(watch_test, tasks_of_the_machine_that_wait_count_where_memory_is_scarce) {
    stall(0, 0);
    look();
    stall(0, 50'000);
    look_later();
    EXPECT_EQ(limits_.soft(), SIZE_MAX) << "at a limit of another group, perhaps";
    memory_scarce = true;
    look_later();
    EXPECT_EQ(limits_.soft(), SIZE_MAX) << "nobody waits now";
    stall(0, 100'000);
    look_later();
    EXPECT_EQ(limits_.soft(), 0u);
}

} // namespace
} // namespace lowtide::test
