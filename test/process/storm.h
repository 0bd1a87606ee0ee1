// A storm of signals: a timer of the kernel's that interrupts this process a fraction of a millisecond after
// the handler of the last signal has returned, until it goes out of scope. The pause is there so that the
// interrupted code makes progress, however long the handler takes.
#pragma once

#include "harness.h"

#include <ctime>

namespace storm {

class timer {
public:
    timer(int signal, void (*handler)(int), long nanoseconds = 100'000, int flags = 0)
        : handler_(handler), nanoseconds_(nanoseconds) {
        struct sigaction action = {};
        action.sa_sigaction = handle_and_rearm;
        action.sa_flags = SA_RESTART | SA_SIGINFO | flags;
        REQUIRE(sigaction(signal, &action, nullptr) == 0);
        sigevent event = {};
        event.sigev_notify = SIGEV_THREAD_ID;
        event._sigev_un._tid = gettid(); // the C library has no other name for it yet
        event.sigev_signo = signal;
        event.sigev_value.sival_ptr = this;
        REQUIRE(timer_create(CLOCK_MONOTONIC, &event, &id_) == 0);
        arm();
    }
    timer(const timer&) = delete;
    timer& operator=(const timer&) = delete;
    ~timer() { timer_delete(id_); }

private:
    static void handle_and_rearm(int signal, siginfo_t* info, void*) {
        auto* self = static_cast<timer*>(info->si_value.sival_ptr);
        self->handler_(signal);
        self->arm();
    }
    void arm() const {
        const itimerspec once{{0, 0}, {0, nanoseconds_}};
        timer_settime(id_, 0, &once, nullptr);
    }

    void (*handler_)(int);
    long nanoseconds_;
    timer_t id_{};
};

// Calls the handler after every single instruction that this thread executes while the object lives, by the
// processor's trap flag. Signals come when it pleases them; this one comes everywhere. The handler itself
// runs freely, and so does its forked child.
class every_instruction {
public:
    explicit every_instruction(void (*handler)(int)) {
        struct sigaction action = {};
        action.sa_handler = handler;
        action.sa_flags = SA_RESTART;
        REQUIRE(sigaction(SIGTRAP, &action, nullptr) == 0);
#ifdef __x86_64__
        __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | kTrapFlag);
#else
        harness::skip("there is no trap flag on this processor");
#endif
    }
    every_instruction(const every_instruction&) = delete;
    every_instruction& operator=(const every_instruction&) = delete;
    ~every_instruction() {
#ifdef __x86_64__
        __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~kTrapFlag);
#endif
    }

private:
    static constexpr unsigned long long kTrapFlag = 0x100;
};

} // namespace storm
