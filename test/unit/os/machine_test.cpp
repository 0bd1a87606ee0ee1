// What the library asks the machine: processors, the clock, small files.
#include "os/machine.h"
#include "os/vm.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <sched.h>
#include <string>
#include <sys/resource.h>
#include <unistd.h>

namespace lowtide::test {
namespace {

TEST(machine, usable_processors_are_those_of_the_affinity_mask) {
    cpu_set_t before;
    ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
    EXPECT_EQ(os::usable_cpus(), static_cast<unsigned>(CPU_COUNT(&before)));
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    EXPECT_EQ(os::usable_cpus(), 1u);
    ASSERT_EQ(sched_setaffinity(0, sizeof(before), &before), 0);
}

TEST(machine, the_number_of_possible_processors_bounds_every_id) {
    EXPECT_GE(os::possible_cpus(), os::usable_cpus());
    EXPECT_GT(os::possible_cpus(), static_cast<unsigned>(sched_getcpu()));
    EXPECT_LE(os::possible_cpus(), 8192u);
}

TEST(machine, a_process_can_have_its_memory_and_swap_or_what_its_limit_says) {
    const size_t before = os::attainable_memory();
    EXPECT_GE(before, static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * os::page_size());
    rlimit space{};
    ASSERT_EQ(getrlimit(RLIMIT_AS, &space), 0);
    const rlimit little{size_t{1} << 30, space.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_AS, &little), 0);
    rlimit now{};
    ASSERT_EQ(getrlimit(RLIMIT_AS, &now), 0);
    if (now.rlim_cur != little.rlim_cur)
        GTEST_SKIP() << "an emulator keeps the limit to itself";
    const size_t then = os::attainable_memory();
    ASSERT_EQ(setrlimit(RLIMIT_AS, &space), 0);
    EXPECT_EQ(then, before < little.rlim_cur ? before : little.rlim_cur);
}

TEST(machine, the_clock_never_goes_back) {
    uint64_t last = os::now_ms();
    EXPECT_GT(last, 0u);
    for (int i = 0; i < 10'000; ++i) {
        const uint64_t now = os::now_ms();
        ASSERT_GE(now, last);
        last = now;
    }
}

class files : public testing::Test {
protected:
    files() { file_ = mkstemp(name_); }
    ~files() override {
        close(file_);
        unlink(name_);
    }
    char name_[64] = "/tmp/lowtide-unit-XXXXXX";
    int file_;
};

TEST_F(files, what_is_written_is_read_whole) {
    const std::string text(100'000, 'x');
    os::write_all(file_, text.data(), text.size());
    std::string read(200'000, '\0');
    ASSERT_EQ(os::read_file(name_, read.data(), read.size()), static_cast<long>(text.size()));
    read.resize(text.size());
    EXPECT_EQ(read, text);
}

TEST_F(files, no_more_is_read_than_there_is_room_for) {
    os::write_all(file_, "0123456789", 10);
    char text[6] = "-----";
    EXPECT_EQ(os::read_file(name_, text, 4), 4);
    EXPECT_STREQ(text, "0123-");
}

TEST_F(files, what_cannot_be_done_is_said_without_errno) {
    errno = 77;
    char text[4];
    EXPECT_EQ(os::read_file("/nonexistent/file", text, sizeof(text)), -ENOENT);
    EXPECT_EQ(os::read_file("/", text, sizeof(text)), -EISDIR);
    os::write_all(-1, "x", 1);
    EXPECT_EQ(errno, 77);
}

} // namespace
} // namespace lowtide::test
