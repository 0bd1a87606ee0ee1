#include "entry/background.h"

#include "entry/heap.h"
#include "os/futex.h"

// False once the process has had a second thread (glibc 2.32). Where it isn't there, `auto` never finds one.
extern "C" char __libc_single_threaded __attribute__((weak));

namespace lowtide {

namespace {

constexpr uint64_t look_every_ms = 100;
// While the program works, so many looks apart: then what has rested goes back.
constexpr unsigned looks_a_step = 5;
// After so many without a slow call everything goes back.
constexpr unsigned looks_to_quiet = 5;

bool has_threads() noexcept {
    return &__libc_single_threaded != nullptr && __libc_single_threaded == 0;
}

} // namespace

constinit background the_background;

void background::allow(background_use use) noexcept {
    os::on_new_generation(
        []() noexcept { the_background.phase_.store(phase::absent, std::memory_order_relaxed); });
    use_.store(use, std::memory_order_relaxed);
}

// What most processes have, one thread, is found out here, without a page of what few need.
void background::note_other_call() noexcept {
    const background_use use = use_.load(std::memory_order_relaxed);
    if (use == background_use::always || (use == background_use::automatic && has_threads()))
        note_first_call();
}

void background::note_first_call() noexcept {
    phase now = phase_.load(std::memory_order_relaxed);
    switch (now) {
    case phase::absent:
        start();
        return;
    case phase::asleep:
        if (phase_.compare_exchange_strong(now, phase::noted))
            wake();
        return;
    case phase::awake:
        phase_.compare_exchange_strong(now, phase::noted);
        return;
    case phase::noted:
        return;
    }
}

void background::start() noexcept {
    // In a child that nobody has noticed to be one the phase becomes `absent` when it is noticed: that must
    // be before the thread begins, and in_borrowed_memory() asks.
    phase now = phase::absent;
    if (os::steps_itself() || os::in_borrowed_memory() || !phase_.compare_exchange_strong(now, phase::noted))
        return;
    started_.store(true, std::memory_order_relaxed);
    // Refused (a limit on threads, a filter): there will be none in this process.
    if (!thread_.start([]() noexcept { the_background.run(); }, "lowtide"))
        use_.store(background_use::never, std::memory_order_relaxed);
}

void background::wake() noexcept {
    wakes_.fetch_add(1, std::memory_order_relaxed);
    os::futex_wake_one(reinterpret_cast<const uint32_t*>(&wakes_));
}

void background::run() noexcept {
    the_heap.attend(true);
    unsigned quiet = 0;
    unsigned looks = 0;
    while (!stopping_.load(std::memory_order_relaxed)) {
        phase_.store(phase::awake, std::memory_order_relaxed);
        const uint32_t wakes = wakes_.load(std::memory_order_relaxed);
        if (!stopping_.load(std::memory_order_relaxed))
            os::futex_wait_ms(reinterpret_cast<const uint32_t*>(&wakes_), wakes, look_every_ms);
        if (stopping_.load(std::memory_order_relaxed))
            return;
        quiet = phase_.load(std::memory_order_relaxed) == phase::noted ? 0 : quiet + 1;
        if (quiet >= looks_to_quiet) {
            the_heap.ebb(true);
            quiet = 0;
            if (!sleep_until_called())
                return;
        } else if (++looks % looks_a_step == 0) {
            the_heap.ebb(false);
        }
    }
}

// False when the thread has to end.
bool background::sleep_until_called() noexcept {
    const uint32_t wakes = wakes_.load(std::memory_order_relaxed);
    phase now = phase::awake;
    if (!phase_.compare_exchange_strong(now, phase::asleep))
        return true; // there has been a call
    while (phase_.load(std::memory_order_relaxed) == phase::asleep &&
           !stopping_.load(std::memory_order_relaxed))
        os::futex_wait(reinterpret_cast<const uint32_t*>(&wakes_), wakes);
    if (os::has_ids_of_process())
        return true;
    the_heap.attend(false);
    phase_.store(phase::absent, std::memory_order_relaxed); // the next call starts one that has
    return false;
}

void background::end() noexcept {
    stopping_.store(true, std::memory_order_relaxed);
    wake();
    thread_.join();
}

} // namespace lowtide
