#include "entry/background.h"

#include "entry/heap.h"
#include "os/futex.h"
#include "os/generation.h"
#include "os/machine.h"
#include "os/summons.h"

// False once the process has had a second thread (glibc 2.32). Where it isn't there, `auto` never finds one.
extern "C" char __libc_single_threaded __attribute__((weak));

namespace lowtide {

namespace {

constexpr uint64_t look_every_ms = 100;
// While the program works, so many looks apart: then what has rested goes back.
constexpr unsigned looks_a_step = 5;
// After so many without a slow call everything goes back.
constexpr unsigned looks_to_quiet = 5;
// How long it sleeps before it looks whether anybody else is there, and ends if not: a process whose threads
// have ended shows none that it didn't make, and one whose last thread ends by a system call of its own ends.
constexpr uint64_t sleep_ms = 10'000;
constexpr size_t own_and_one = 2;
// What the end of the process waits for: a system call, but not a lock that the caller itself has
// interrupted.
constexpr uint64_t end_ms = 100;
constexpr uint64_t refusal_ms = 10'000;

bool has_threads() noexcept {
    return &__libc_single_threaded != nullptr && __libc_single_threaded == 0;
}

} // namespace

constinit background the_background;
constinit std::atomic<uint32_t> background::nothing_to_note{noted};

void background::allow(background_use use) noexcept {
    use_.store(use, std::memory_order_relaxed);
    if (use != background_use::never)
        phase_.store(&os::word_of_process(), std::memory_order_release);
}

// ---- in the program's threads

// What most processes have, one thread, is found out here, without a page of what few need.
void background::note_other_call() noexcept {
    const background_use use = use_.load(std::memory_order_relaxed);
    if (use == background_use::always || (use == background_use::automatic && has_threads()))
        note_first_call();
}

void background::note_first_call() noexcept {
    uint32_t now = word().load(std::memory_order_relaxed);
    if (now == absent)
        return start();
    // libc changes the ids of the threads that it knows only: this one ends, and the next has the new ones.
    if (now != noted && ids_.load(std::memory_order_relaxed) != os::ids_of_thread())
        stopping_.store(true, std::memory_order_relaxed);
    if (now != noted && word().compare_exchange_strong(now, noted) && now == asleep)
        wake();
}

void background::start() noexcept {
    uint32_t now = absent;
    if (os::steps_itself() || os::in_borrowed_memory() ||
        os::now_ms() < not_before_ms_.load(std::memory_order_relaxed) ||
        !word().compare_exchange_strong(now, noted))
        return;
    started_.store(true, std::memory_order_relaxed);
    stopping_.store(use_.load(std::memory_order_relaxed) == background_use::never, std::memory_order_relaxed);
    ids_.store(os::ids_of_thread(), std::memory_order_relaxed);
    the_heap.attend(true);
    if (thread_.start([]() noexcept { the_background.run(); }, "lowtide"))
        return;
    the_heap.attend(false);
    not_before_ms_.store(os::now_ms() + refusal_ms, std::memory_order_relaxed);
    word().store(absent, std::memory_order_relaxed);
}

void background::wake() noexcept {
    wakes_.fetch_add(1, std::memory_order_release);
    os::futex_wake_one(wakes());
}

void background::end() noexcept {
    stopping_.store(true, std::memory_order_relaxed);
    wake();
    thread_.join(end_ms);
}

// ---- in the thread

void background::run() noexcept {
    the_heap.look_around();
    unsigned quiet = 0;
    unsigned looks = 0;
    for (bool stays = true; stays;) {
        const uint32_t before = wakes_.load(std::memory_order_acquire);
        if (stopping_.load(std::memory_order_relaxed))
            break;
        os::futex_wait_ms(wakes(), before, look_every_ms);
        the_heap.look_around();
        quiet = word().exchange(awake, std::memory_order_relaxed) == noted ? 0 : quiet + 1;
        const bool pools_wait = the_heap.tend_pools();
        if (++looks % looks_a_step != 0 && quiet != looks_to_quiet)
            continue;
        if (quiet <= looks_to_quiet)
            the_heap.ebb(quiet == looks_to_quiet);
        // A program that only uses what it has is quiet, and at work.
        if (!the_heap.collapse_dense() && !pools_wait && !the_heap.is_watched() && quiet >= looks_to_quiet) {
            quiet = 0;
            stays = sleep_until_called();
        }
    }
    the_heap.attend(false);
    word().store(absent, std::memory_order_release); // the next call starts another
}

// False when the thread is to end: nobody has called for long. Where there are threads it stays, asleep, to
// hear what is asked from outside (entry/mailbox.h).
bool background::sleep_until_called() noexcept {
    const uint32_t before = wakes_.load(std::memory_order_acquire);
    uint32_t now = awake;
    if (!word().compare_exchange_strong(now, asleep))
        return true; // there has been a call
    os::woken_by by = os::woken_by::change;
    if (!stopping_.load(std::memory_order_relaxed)) {
        do
            by = os::wait_for_summons(wakes(), before, sleep_ms);
        while (by == os::woken_by::time && os::count_threads() > own_and_one);
        if (by == os::woken_by::refusal)
            os::futex_wait_ms(wakes(), before, sleep_ms);
    }
    now = asleep;
    return !word().compare_exchange_strong(now, awake) || by == os::woken_by::summons;
}

} // namespace lowtide
