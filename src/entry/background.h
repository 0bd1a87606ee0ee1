// The thread that returns memory when nobody calls: what has rested in caches, in sparse slabs and in free
// runs goes back while the program works, and all of it once the program has been quiet for a while. Then the
// thread sleeps, without a timer, until the next slow call wakes it.
//
// It starts with the first slow call in a process that has threads (option `background`), and is no thread
// that libc knows (os/lone_thread.h). A child of fork has none until it makes such a call itself.
#pragma once

#include "base/options.h"
#include "os/lone_thread.h"

#include <atomic>

namespace lowtide {

class background {
public:
    constexpr background() = default;

    // Called once, at the start.
    void allow(background_use use) noexcept;

    // The program has made a slow call; without any lock of ours. One load, but for the first one after the
    // thread has looked, and where there is none.
    void note_call() noexcept {
        if (phase_.load(std::memory_order_relaxed) != phase::noted) [[unlikely]]
            note_other_call();
    }

    // There will be none from now on; waits until one that there is has ended.
    void stop() noexcept {
        use_.store(background_use::never, std::memory_order_relaxed);
        if (started_.load(std::memory_order_relaxed))
            end();
    }

    // Does it live in this process?
    [[nodiscard, gnu::cold]] bool lives() const noexcept {
        return use_.load(std::memory_order_relaxed) != background_use::never &&
               phase_.load(std::memory_order_relaxed) != phase::absent;
    }

private:
    enum class phase : uint32_t {
        absent, // no thread
        asleep, // until a call wakes it
        awake,  // and there has been no call since it last looked
        noted,  // there has been one
    };
    void note_other_call() noexcept;
    [[gnu::cold]] void note_first_call() noexcept;
    [[gnu::cold]] void start() noexcept;
    [[gnu::cold]] void end() noexcept;
    [[gnu::cold]] void run() noexcept;
    [[nodiscard, gnu::cold]] bool sleep_until_called() noexcept;
    [[gnu::cold]] void wake() noexcept;

    std::atomic<phase> phase_{phase::absent}; // in a child of fork: absent, once it is noticed
    std::atomic<background_use> use_{background_use::never};
    std::atomic<uint32_t> wakes_{0}; // what the thread sleeps on
    std::atomic<bool> started_{false};
    std::atomic<bool> stopping_{false};
    os::lone_thread thread_;
};

extern constinit background the_background;

} // namespace lowtide
