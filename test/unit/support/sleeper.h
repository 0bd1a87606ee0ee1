// A thread that is expected to fall asleep in what it does: the kernel says when it has.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace lowtide::test {

class sleeper {
public:
    explicit sleeper(std::function<void()> action);
    ~sleeper() { thread_.join(); }
    sleeper(const sleeper&) = delete;
    sleeper& operator=(const sleeper&) = delete;

    // Waits until the thread sleeps in its action. False when it runs on and on.
    [[nodiscard]] bool falls_asleep() const;

private:
    std::atomic<int> id_{0}; // the kernel's, once the action begins
    std::thread thread_;
};

} // namespace lowtide::test
