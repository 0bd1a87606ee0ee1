// ld.so as a user of malloc: for the libraries it loads, perhaps as the first of all callers, and for
// thread-local memory, which it takes and grows behind any access. An allocator that finds its own state
// through such memory calls itself for ever.
#include "harness.h"
#include "libraries/thread_locals.h"
#include "scratch.h"
#include "workload.h"

#include <dlfcn.h>

using namespace harness;
using namespace workload;

namespace {

thread_locals_function touch_first = nullptr;

thread_locals_function load(const char* path, void** handle) {
    *handle = dlopen(path, RTLD_NOW);
    REQUIRE(*handle != nullptr);
    auto touch = reinterpret_cast<thread_locals_function>(dlsym(*handle, "thread_locals_touch"));
    REQUIRE(touch != nullptr);
    return touch;
}

// Runs before the constructors of all libraries and is the first in this program to need memory: not for
// itself, but ld.so does, for the library and for its thread-local block.
void preinit(int, char**, char**) {
    static void* handle;
    touch_first = load(THREAD_LOCALS_LIBRARY, &handle);
    REQUIRE(touch_first() == 0);
}
[[gnu::used, gnu::section(".preinit_array")]] void (*const preinit_entry)(int, char**, char**) = preinit;

// More libraries than fit the vector that ld.so starts with, so that it grows those of all threads.
constexpr int kLibraries = 80;
thread_locals_function touch[kLibraries];

void* touch_all(void*) {
    churn own(1);
    for (thread_locals_function function : touch) {
        own.run(10);
        REQUIRE(function() == 0);
        REQUIRE(function() == 1);
    }
    return nullptr;
}

} // namespace

PROMISE(first_call_may_come_from_ld_so_itself) {
    REQUIRE(touch_first != nullptr && touch_first() == 1);
    pthread_t thread = start_thread(
        [](void*) -> void* {
            REQUIRE(touch_first() == 0);
            return nullptr;
        },
        nullptr);
    join_thread(thread);
    REQUIRE(touch_first() == 2);
    use_every_size();
}

PROMISE(ld_so_may_keep_its_thread_local_blocks_in_our_memory) {
    scratch_directory scratch;
    for (int round = 0; round < 3; ++round) {
        void* handles[kLibraries];
        for (int i = 0; i < kLibraries; ++i) {
            touch[i] = load(scratch.copy_of(THREAD_LOCALS_LIBRARY, i).c_str(), &handles[i]);
        }
        pthread_t threads[4];
        for (pthread_t& thread : threads) {
            thread = start_thread(touch_all, nullptr);
        }
        for (pthread_t thread : threads) {
            join_thread(thread);
        }
        touch_all(nullptr);
        for (void* handle : handles) {
            REQUIRE(dlclose(handle) == 0);
        }
    }
}

PART(any_program) {
    use_every_size();
    busy_threads threads(2);
    threads.wait_for_steps(1000);
    say("program\n");
}

// The audit library is in a namespace of its own; it looks up the program's malloc and calls it before main.
PROMISE(an_audit_library_may_call_the_programs_malloc) {
    outcome of = run_part("any_program", {.environment = {"LD_AUDIT=" AUDIT_LIBRARY}});
    require_success(of);
    REQUIRE(of.out == "audit: allocated before main\nprogram\n");
}
