// Calls of malloc after one would think all is over: from destructors of thread-local objects, pthread keys
// in each of their rounds, atexit and on_exit functions, static destructors, destructors of libraries that
// are finished after the allocator, and from threads that still run while the process exits.
#include "early_use.h"
#include "harness.h"
#include "libraries/first.h"
#include "workload.h"

#include <climits>
#include <cstdlib>

using namespace harness;
using namespace workload;

namespace {

// A library user's thread-local object: it holds memory, and its destructor frees that and uses more.
struct thread_local_object {
    void* held = acquire(5000, 1);
    churn table{17};
    ~thread_local_object() {
        release(held);
        table.run(300);
    }
};

thread_local thread_local_object* late_object = nullptr;
struct cleaner {
    bool armed = false;
    ~cleaner() {
        if (armed) {
            delete late_object;
            // The C library runs this object's destructor as well, after all that were made before it.
            thread_local thread_local_object made_while_dying;
            made_while_dying.table.run(50);
        }
    }
};
thread_local cleaner thread_cleaner;

// Keys whose destructors allocate, keep it for the next round, and free what the last round kept.
constexpr int kKeys = 8;
pthread_key_t keys[kKeys];
std::atomic<uint64_t> key_rounds{0};

void key_destructor(void* value) {
    release(value);
    for (size_t size : {40, 300, 3000, 20'000, 200'000}) {
        release(acquire(size, size));
    }
    static thread_local int rounds = 0;
    key_rounds.fetch_add(1);
    if (++rounds <= kKeys * (PTHREAD_DESTRUCTOR_ITERATIONS - 1)) {
        for (pthread_key_t key : keys) {
            if (pthread_getspecific(key) == nullptr) {
                pthread_setspecific(key, acquire(1000, 1));
                break;
            }
        }
    }
}

void* thread_with_keys(void*) {
    for (pthread_key_t key : keys) {
        REQUIRE(pthread_setspecific(key, acquire(100, 1)) == 0);
    }
    churn own(3);
    own.run(100);
    return nullptr;
}

void* thread_with_objects(void*) {
    thread_cleaner.armed = true;
    late_object = new thread_local_object;
    thread_local thread_local_object object;
    object.table.run(100);
    return nullptr;
}

void run_threads(int count, void* (*body)(void*)) {
    for (int i = 0; i < count; i += 4) {
        pthread_t threads[4];
        for (pthread_t& thread : threads) {
            thread = start_thread(body, nullptr);
        }
        for (pthread_t thread : threads) {
            join_thread(thread);
        }
    }
}

void* kept_for_exit = nullptr;

void at_exit_function() {
    release(kept_for_exit);
    use_every_size();
    say("atexit function\n");
}

void on_exit_function(int, void* block) {
    release(block);
    use_every_size();
    say("on_exit function\n");
}

void quick_exit_function() {
    release(kept_for_exit);
    use_every_size();
    say("at_quick_exit function\n");
}

bool speaks_in_destructors = false;
struct speaking_static {
    void* held = acquire(70'000, 1);
    ~speaking_static() {
        release(held);
        if (speaks_in_destructors) {
            churn(2, 1u << 20).run(500);
            say("static destructor\n");
        }
    }
} the_static;

[[gnu::destructor(101)]] void last_destructor_of_the_program() {
    if (speaks_in_destructors) {
        churn(3, 1u << 20).run(500);
        say("program's last destructor\n");
    }
}

struct main_thread_object {
    ~main_thread_object() {
        use_every_size();
        say("main thread's thread-local destructor\n");
    }
};

} // namespace

PROMISE(destructors_of_thread_local_objects_may_allocate) {
    run_threads(400, thread_with_objects);
}

PROMISE(pthread_key_destructors_may_allocate_in_every_round) {
    for (pthread_key_t& key : keys) {
        REQUIRE(pthread_key_create(&key, key_destructor) == 0);
    }
    run_threads(400, thread_with_keys);
    REQUIRE(key_rounds >= 400 * 2 * kKeys);
}

PROMISE(memory_used_in_the_last_key_destructors_is_not_lost) {
    for (pthread_key_t& key : keys) {
        REQUIRE(pthread_key_create(&key, key_destructor) == 0);
    }
    run_threads(1000, thread_with_keys);
    const size_t before = resident_bytes_in_use();
    run_threads(4000, thread_with_keys);
    REQUIRE(resident_bytes_in_use() < before + (3u << 20)); // 750 bytes a thread
}

PART(exits_with_all_kinds_of_late_calls) {
    thread_local main_thread_object object;
    static_cast<void>(&object);
    speaks_in_destructors = true;
    first_speak_at_the_end();
    kept_for_exit = acquire(300'000, 1);
    REQUIRE(std::atexit(at_exit_function) == 0);
    REQUIRE(on_exit(on_exit_function, acquire(100, 1)) == 0);
}

PROMISE(calls_at_exit_may_allocate_down_to_the_last_destructor) {
    outcome of = run_part("exits_with_all_kinds_of_late_calls");
    require_success(of);
    REQUIRE(of.err.empty());
    REQUIRE(of.out == "main thread's thread-local destructor\n"
                      "on_exit function\n"
                      "atexit function\n"
                      "static destructor\n"
                      "program's last destructor\n"
                      "first library's destructor\n"
                      "first library's DT_FINI\n");
}

PART(exits_quickly) {
    kept_for_exit = acquire(300'000, 1);
    REQUIRE(std::at_quick_exit(quick_exit_function) == 0);
    std::quick_exit(0);
}

PROMISE(calls_at_quick_exit_may_allocate) {
    outcome of = run_part("exits_quickly");
    require_success(of);
    REQUIRE(of.out == "at_quick_exit function\n");
}

PART(exits_while_threads_allocate) {
    auto* others = new busy_threads(2);
    others->wait_for_steps(200);
    speaks_in_destructors = true;
}

PROMISE(threads_may_go_on_allocating_while_the_process_exits) {
    for (int i = 0; i < 10; ++i) {
        outcome of = run_part("exits_while_threads_allocate");
        require_success(of);
        REQUIRE(of.err.empty());
        REQUIRE(of.out == "static destructor\nprogram's last destructor\n");
    }
}

// main has returned from its thread; the process ends when the last thread does.
PART(ends_main_thread_first) {
    start_thread(
        [](void* main_thread) -> void* {
            join_thread(reinterpret_cast<pthread_t>(main_thread));
            use_every_size();
            say("last thread\n");
            return nullptr;
        },
        reinterpret_cast<void*>(pthread_self()));
    churn mine(1);
    mine.run(1000);
    mine.clear();
    pthread_exit(nullptr);
}

PROMISE(threads_may_outlive_the_main_thread) {
    outcome of = run_part("ends_main_thread_first");
    require_success(of);
    REQUIRE(of.out == "last thread\n");
}
