// Threads for the workloads: libc's own, since the workloads do without the C++ library.
#pragma once

#include "table.h"
#include "workload.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

namespace lowtide::bench {

inline pthread_t start_thread(void* (*entry)(void*), void* argument,
                              const pthread_attr_t* attributes = nullptr) {
    pthread_t id;
    if (pthread_create(&id, attributes, entry, argument) != 0)
        give_up("cannot start a thread");
    return id;
}

/// Through interruptions by signals.
inline void wait_for(sem_t& semaphore) {
    while (sem_wait(&semaphore) != 0) {
    }
}

/// Runs body(0) … body(count-1), each on a thread of its own, and waits for them all.
template <typename Body>
void on_threads(unsigned count, Body body) {
    struct worker {
        Body* body;
        unsigned index;
        pthread_t id;
    };
    table<worker> workers(count);
    for (unsigned i = 0; i < count; ++i) {
        workers[i].body = &body;
        workers[i].index = i;
        workers[i].id = start_thread(
            [](void* argument) -> void* {
                worker& self = *static_cast<worker*>(argument);
                (*self.body)(self.index);
                return nullptr;
            },
            &workers[i]);
    }
    for (worker& each : workers)
        pthread_join(each.id, nullptr);
}

/// What a thread has to say at its end, on a cache line of its own.
struct alignas(2 * cache_line) thread_result {
    std::uint64_t operations;
    std::uint64_t checksum;
};

inline outcome sum(table<thread_result>& results) {
    outcome total;
    for (const thread_result& each : results) {
        total.operations += each.operations;
        total.checksum += each.checksum;
    }
    return total;
}

/// Waits for another thread: first in place, then giving the processor away, as it may be the one that is
/// waited for that needs it.
class patience {
public:
    void wait() {
        if (++spins_ < 64)
            pause();
        else
            sched_yield();
    }

private:
    static void pause() {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        asm volatile("yield");
#endif
    }
    unsigned spins_ = 0;
};

} // namespace lowtide::bench
