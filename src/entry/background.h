// The thread that returns memory when nobody calls: what has rested in caches, in sparse slabs and in free
// runs goes back while the program works, and all of it once the program has been quiet for a while. Then the
// thread sleeps until the next slow call wakes it, or `lowtide trim` and its relatives do (os/summons.h). When
// neither comes for long and the program has one thread only, it ends.
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

    // The program has made a slow call; without any lock of ours. Two loads, but for the first one after the
    // thread has looked, and where there is none.
    void note_call() noexcept {
        if (phase_.load(std::memory_order_relaxed)->load(std::memory_order_relaxed) != noted) [[unlikely]]
            note_other_call();
    }

    // It had better look now.
    [[gnu::cold]] void hurry() noexcept { wake(); }

    // There will be none from now on; waits, not for long, until one that there is has ended.
    void stop() noexcept {
        use_.store(background_use::never, std::memory_order_relaxed);
        if (started_.load(std::memory_order_relaxed))
            end();
    }

private:
    // What the word says that is 0 in a child of fork.
    enum phase : uint32_t {
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
    [[nodiscard]] std::atomic<uint32_t>& word() const noexcept {
        return *phase_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] const uint32_t* wakes() const noexcept {
        return reinterpret_cast<const uint32_t*>(&wakes_);
    }

    static constinit std::atomic<uint32_t> nothing_to_note; // before the start
    std::atomic<std::atomic<uint32_t>*> phase_{&nothing_to_note};
    std::atomic<background_use> use_{background_use::never};
    std::atomic<uint32_t> wakes_{0}; // what the thread sleeps on
    std::atomic<bool> started_{false};
    std::atomic<bool> stopping_{false};
    std::atomic<uint64_t> not_before_ms_{0}; // the system has refused a thread
    std::atomic<uint64_t> ids_{0};           // those of the process when the thread began
    os::lone_thread thread_;
};

extern constinit background the_background;

} // namespace lowtide
