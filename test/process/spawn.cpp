// vfork and posix_spawn: the child shares the parent's memory until it executes something else, while the
// other threads of the parent go on allocating.
#include "harness.h"
#include "workload.h"

#include <cstdio>
#include <spawn.h>

using namespace harness;
using namespace workload;

namespace {

constexpr int kSpawnsPerThread = 100;
char program[] = "/bin/true";
char* const arguments[] = {program, nullptr};

void* spawn_often(void*) {
    churn own(7);
    for (int i = 0; i < kSpawnsPerThread; ++i) {
        own.run(50);
        pid_t child;
        REQUIRE(posix_spawn(&child, program, nullptr, nullptr, arguments, environ) == 0);
        own.run(50);
        require_success(child);
    }
    return nullptr;
}

// A function of its own, so that the child finds none of the caller's variables to spoil.
[[gnu::noinline]] pid_t vfork_and_exec() {
    pid_t child = vfork();
    if (child == 0) {
        execve(program, arguments, environ);
        _exit(127);
    }
    REQUIRE(child > 0);
    return child;
}

void* vfork_often(void*) {
    churn own(8);
    for (int i = 0; i < kSpawnsPerThread; ++i) {
        own.run(50);
        pid_t child = vfork_and_exec();
        own.run(50);
        require_success(child);
    }
    return nullptr;
}

void* from_parent = nullptr;
void* from_child = nullptr;

[[gnu::noinline]] pid_t vfork_and_allocate() {
    pid_t child = vfork();
    if (child == 0) {
        release(from_parent);
        for (size_t size : {16, 100, 5000, 90000, 700000}) {
            release(acquire(size, size));
        }
        from_child = acquire(600, 2);
        _exit(0);
    }
    REQUIRE(child > 0);
    return child;
}

void vfork_children_that_allocate(int count) {
    churn mine(9);
    for (int i = 0; i < count; ++i) {
        mine.run(50);
        from_parent = acquire(600, 1);
        pid_t child = vfork_and_allocate();
        require_success(child);
        release(from_child);
        mine.run(50);
    }
}

void run_in_four_threads(void* (*body)(void*)) {
    busy_threads others(2);
    pthread_t threads[4];
    for (pthread_t& thread : threads) {
        thread = start_thread(body, nullptr);
    }
    for (pthread_t thread : threads) {
        join_thread(thread);
    }
}

} // namespace

PROMISE(threads_may_posix_spawn_while_others_allocate) {
    run_in_four_threads(spawn_often);
}

PROMISE(threads_may_vfork_and_exec_while_others_allocate) {
    run_in_four_threads(vfork_often);
}

// More than POSIX allows, but programs do it: what the child of vfork allocates and frees is the parent's.
PROMISE(a_vfork_child_may_allocate_and_the_parents_memory_stays_whole) {
    vfork_children_that_allocate(500);
}

// Among other threads this cannot be with rseq: the kernel registers no area for the child, and does not tell
// it so; it would use the caches of a processor that others run on. (The child of posix_spawn does not
// allocate.)
PART(allocates_in_vfork_children) {
    busy_threads others(4);
    vfork_children_that_allocate(300);
}

PROMISE(without_rseq_a_vfork_child_may_allocate_among_threads) {
    require_success(run_part("allocates_in_vfork_children", {.environment = {"LOWTIDE_CONF=rseq:false"}}));
}

PROMISE(popen_and_system_work_while_others_allocate) {
    busy_threads others(3);
    for (int i = 0; i < 50; ++i) {
        std::FILE* pipe = popen("echo tide", "r");
        REQUIRE(pipe != nullptr);
        char line[16] = {};
        REQUIRE(std::fgets(line, sizeof line, pipe) != nullptr && std::string_view(line) == "tide\n");
        REQUIRE(pclose(pipe) == 0);
        REQUIRE(std::system("exit 3") == 3 << 8);
    }
}
