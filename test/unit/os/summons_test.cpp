// A thread that waits for its own word or for a summons of another process.
#include "os/summons.h"

#include "os/futex.h"

#include <atomic>
#include <climits>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

namespace lowtide {
namespace {

constexpr uint64_t long_enough = 60'000;

bool is_there() {
    uint32_t word = 0;
    return os::wait_for_summons(&word, 0, 0) != os::woken_by::refusal;
}

// As the command does it, by the file.
void summon_all() {
    const int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    void* word = mmap(nullptr, 1, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    ASSERT_NE(word, MAP_FAILED);
    os::system_call(SYS_futex, reinterpret_cast<long>(word), FUTEX_WAKE, INT_MAX);
    munmap(word, 1);
}

TEST(summons, wakes_who_sleeps_on_the_file_of_its_code) {
    if (!is_there())
        GTEST_SKIP() << "this system has no futex_waitv";
    uint32_t word = 0;
    std::atomic<bool> woken{false};
    os::woken_by by = os::woken_by::time;
    std::thread sleeper([&] {
        by = os::wait_for_summons(&word, 0, long_enough);
        woken = true;
    });
    while (!woken) {
        summon_all();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    sleeper.join();
    EXPECT_EQ(by, os::woken_by::summons);
}

TEST(summons, is_not_what_the_own_word_wakes) {
    if (!is_there())
        GTEST_SKIP() << "this system has no futex_waitv";
    std::atomic<uint32_t> word{0};
    const auto* raw = reinterpret_cast<const uint32_t*>(&word);
    EXPECT_EQ(os::wait_for_summons(raw, 1, long_enough), os::woken_by::change) << "it isn't that any more";
    os::woken_by by = os::woken_by::time;
    std::thread sleeper([&] { by = os::wait_for_summons(raw, 0, long_enough); });
    word = 1;
    os::futex_wake_one(raw);
    sleeper.join();
    EXPECT_EQ(by, os::woken_by::change);
    EXPECT_EQ(os::wait_for_summons(raw, 1, 0), os::woken_by::time);
}

TEST(summons, threads_are_counted) {
    std::thread([] {}).join(); // a sanitizer may have one of its own from then on
    const size_t before = os::count_threads();
    std::atomic<bool> stop{false};
    std::thread other([&] { stop.wait(false); });
    EXPECT_EQ(os::count_threads(), before + 1);
    stop = true;
    stop.notify_one();
    other.join();
}

} // namespace
} // namespace lowtide
