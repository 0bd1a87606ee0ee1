// Programs that run other programs step by step: ptrace, gdb, valgrind. Each step is a preemption, so that a
// restartable sequence is restarted at every instruction: after a bounded number of restarts it takes another
// way, and never circles for ever.
#include "harness.h"
#include "workload.h"

#include <sys/ptrace.h>

using namespace harness;
using namespace workload;

namespace {

// Single-stepped instructions after which a few hundred operations must have come to their end. Stepped
// without restarts they take some 200,000.
constexpr long kMostSteps = 5'000'000;

void allocate_a_little() {
    void* blocks[40] = {};
    generator random(1);
    for (int i = 0; i < 400; ++i) {
        void*& block = blocks[random.below(std::size(blocks))];
        std::free(block);
        block = std::malloc(random_size(random, 200'000));
        REQUIRE(block != nullptr);
    }
    for (void* block : blocks) {
        std::free(block);
    }
}

bool is_in_path(const char* program) {
    return run({.arguments = {program, "--version"}, .environment = {"LD_PRELOAD"}}).exited_with(0);
}

// gdb runs a part on the library, but is itself left alone.
outcome run_in_gdb(const char* part, const std::vector<std::string>& commands) {
    if (!is_in_path("gdb")) {
        skip("gdb is not installed");
    }
    const char* preload = std::getenv("LD_PRELOAD");
    launch how{
        .arguments = {"gdb", "-batch", "-nx", "-ex", "set startup-with-shell off", "-ex",
                      std::string("set environment LD_PRELOAD ") + (preload != nullptr ? preload : "")},
        .environment = {"LD_PRELOAD", "DEBUGINFOD_URLS"}};
    for (const std::string& command : commands) {
        how.arguments.insert(how.arguments.end(), {"-ex", command});
    }
    how.arguments.emplace_back("--args");
    for (const std::string& word : part_command(part)) {
        how.arguments.push_back(word);
    }
    return run(how);
}

bool contains(const std::string& text, const char* what) {
    return text.find(what) != std::string::npos;
}

void run_in_valgrind(const std::vector<std::string>& options, bool malloc_stays_ours) {
    if (!is_in_path("valgrind")) {
        skip("valgrind is not installed");
    }
    launch how{.arguments = {"valgrind", "-q"}};
    how.arguments.insert(how.arguments.end(), options.begin(), options.end());
    for (const std::string& word :
         part_command(malloc_stays_ours ? "small_program_on_ours" : "small_program")) {
        how.arguments.push_back(word);
    }
    const outcome of = run(how);
    require_success(of);
    REQUIRE(of.out == "done\n");
}

} // namespace

// For gdb to find: what is stepped through begins and ends here.
extern "C" {
[[gnu::noinline]] void tracers_begin() {
    asm volatile("");
}
[[gnu::noinline]] void tracers_end() {
    asm volatile("");
}
volatile unsigned long tracers_counter = 0;
}

PART(allocates_between_marks) {
    REQUIRE(malloc_is_ours());
    tracers_begin();
    allocate_a_little();
    tracers_end();
    say("done\n");
}

PART(counts_while_it_allocates) {
    for (int i = 0; i < 30; ++i) {
        tracers_counter = tracers_counter + 1;
        std::free(std::malloc(100));
        std::free(std::malloc(5000));
    }
    say("done\n");
}

PART(small_program) {
    churn table(1, 5u << 20);
    table.run(3000);
    table.clear();
    use_every_size();
    busy_threads threads(2);
    threads.wait_for_steps(200);
    say("done\n");
}

PART(small_program_on_ours) {
    REQUIRE(malloc_is_ours());
    small_program();
}

PROMISE(malloc_makes_progress_when_every_instruction_is_stepped) {
    pid_t child = fork_guarded();
    if (child == 0) {
        churn own(1);
        own.run(100);
        REQUIRE(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0);
        raise(SIGSTOP);
        allocate_a_little();
        _exit(0);
    }
    int status = wait_for(child);
    REQUIRE(WIFSTOPPED(status));
    long steps = 0;
    while (WIFSTOPPED(status)) {
        REQUIRE(++steps < kMostSteps);
        REQUIRE(ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) == 0);
        status = wait_for(child);
        REQUIRE(!WIFSTOPPED(status) || WSTOPSIG(status) == SIGTRAP);
    }
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    REQUIRE(steps > 10'000);
}

PROMISE(gdb_can_step_through_malloc) {
    const outcome of = run_in_gdb("allocates_between_marks",
                                  {"break tracers_begin", "run", "stepi 5000", "next", "finish", "continue"});
    REQUIRE(contains(of.out, "Breakpoint 1"));
    REQUIRE(contains(of.out, "done"));
    REQUIRE(contains(of.out, "exited normally"));
}

// A software watchpoint: gdb steps through all of the program between two changes of the variable.
PROMISE(gdb_can_watch_a_variable_while_malloc_is_called) {
    const outcome of =
        run_in_gdb("counts_while_it_allocates",
                   {"set can-use-hw-watchpoints 0", "start",
                    "watch *(unsigned long*)&tracers_counter if *(unsigned long*)&tracers_counter == 30",
                    "continue", "delete", "continue"});
    REQUIRE(contains(of.out, "New value = 30"));
    REQUIRE(contains(of.out, "exited normally"));
}

PROMISE(valgrind_can_replace_our_malloc) {
    run_in_valgrind({}, false);
    run_in_valgrind({"--soname-synonyms=somalloc=liblowtide.so.0"}, false);
}

PROMISE(valgrind_can_run_our_malloc) {
    run_in_valgrind({"--soname-synonyms=somalloc=nouserintercepts"}, true);
    run_in_valgrind({"--tool=none"}, true);
}
