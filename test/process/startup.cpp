// The first call of malloc comes from wherever it likes: from ld.so's audit hooks, an IFUNC resolver, preinit
// functions, DT_INIT and constructors of libraries that are initialised before the allocator and after it.
// What was allocated then is memory like any other later.
#include "early_use.h"
#include "harness.h"
#include "libraries/first.h"
#include "libraries/ordinary.h"
#include "libraries/thread_locals.h"
#include "scratch.h"
#include "workload.h"

#include <dlfcn.h>

using namespace harness;
using namespace workload;

namespace {

early_note in_resolver;
early_note in_preinit;
early_note in_own_constructor;

bool is_ours(const void* block) {
    auto owns = reinterpret_cast<int (*)(const void*)>(dlsym(RTLD_DEFAULT, "lowtide_owns"));
    return any_allocator_allowed() || (owns != nullptr && owns(block) != 0);
}

void require_good(early_note& note) {
    REQUIRE(note.fine);
    REQUIRE(is_ours(note.kept));
    REQUIRE(early_kept_is_intact(&note));
}

int answer() {
    return 42;
}

void preinit(int, char**, char**) {
    early_use(&in_preinit);
}
[[gnu::used, gnu::section(".preinit_array")]] void (*const preinit_entry)(int, char**, char**) = preinit;

[[gnu::constructor(101)]] void construct() {
    early_use(&in_own_constructor);
}

} // namespace

// Called by ld.so while it relocates the program, before anything of any library has run.
extern "C" {
[[gnu::used]] static int (*resolve_answer(void))(void) {
    early_use(&in_resolver);
    return answer;
}
int chosen_answer(void) __attribute__((ifunc("resolve_answer")));
}

PROMISE(first_call_may_come_from_an_ifunc_resolver) {
    REQUIRE(chosen_answer() == 42);
    require_good(in_resolver);
}

PROMISE(first_call_may_come_from_preinit) {
    require_good(in_preinit);
}

PROMISE(a_library_initialised_before_ours_may_allocate_in_its_init_and_constructor) {
    require_good(first_in_dt_init);
    require_good(first_in_constructor);
}

PROMISE(a_library_initialised_after_ours_may_allocate_in_its_init_and_constructor) {
    require_good(ordinary_in_dt_init);
    require_good(ordinary_in_constructor);
    require_good(in_own_constructor);
}

// The audit library looks up the program's malloc and calls it from ld.so's hooks, the first of which runs
// when nothing of the program has been initialised. It says on stdout what it saw.
PROMISE(first_call_may_come_from_ld_so_itself) {
    outcome of = run_part("any_program", {.environment = {"LD_AUDIT=" AUDIT_LIBRARY}});
    require_success(of);
    REQUIRE(of.out == "audit: allocated before all constructors\nprogram\n");
}

PART(any_program) {
    use_every_size();
    busy_threads threads(2);
    threads.wait_for_steps(1000);
    say("program\n");
}

// ld.so keeps thread-local blocks and the vectors that find them in memory from malloc, and grows and frees
// them for every thread. An allocator that finds its own state through such a block calls itself for ever.
PROMISE(ld_so_may_keep_its_thread_local_blocks_in_our_memory) {
    constexpr int kLibraries = 80; // more than fit the vector that ld.so starts with
    scratch_directory scratch;
    static thread_locals_function touch[kLibraries];
    static void* handles[kLibraries];
    auto touch_all = [](void*) -> void* {
        churn own(1);
        for (thread_locals_function function : touch) {
            own.run(10);
            if (function != nullptr) {
                REQUIRE(function() == 0);
                REQUIRE(function() == 1);
            }
        }
        return nullptr;
    };
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < kLibraries; ++i) {
            handles[i] = dlopen(scratch.copy_of(THREAD_LOCALS_LIBRARY, i).c_str(), RTLD_NOW);
            REQUIRE(handles[i] != nullptr);
            touch[i] = reinterpret_cast<thread_locals_function>(dlsym(handles[i], "thread_locals_touch"));
            REQUIRE(touch[i] != nullptr);
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
