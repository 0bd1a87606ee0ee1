// The stack as backtrace(3) has it: from any function, stack, thread and handler.
#include "observe/unwind.h"

#include "observe/call_chains.h"
#include "observe/stacks.h"
#include "os/registers.h"
#include "support/emulated.h"

#include <algorithm>
#include <csignal>
#include <dlfcn.h>
#include <functional>
#include <gtest/gtest.h>
#include <thread>
#include <ucontext.h>
#include <vector>

namespace lowtide::test {
namespace {

class unwind_chains : public testing::TestWithParam<const call_chains*> {};

INSTANTIATE_TEST_SUITE_P(frame_pointers, unwind_chains,
                         testing::Values(&chains_with_frame_pointers, &chains_without_frame_pointers),
                         [](const auto& of) {
                             return of.param == &chains_with_frame_pointers ? "kept" : "omitted";
                         });

TEST_P(unwind_chains, a_recursion_has_every_frame) {
    for (const unsigned depth : {0u, 1u, 30u, 80u}) {
        GetParam()->recursion(depth, compare_stacks);
        EXPECT_EQ(difference(), "");
        EXPECT_GT(last_stack().size(), depth);
    }
}

TEST_P(unwind_chains, of_a_deeper_recursion_there_are_as_many_as_asked_for) {
    GetParam()->recursion(1000, compare_stacks);
    EXPECT_EQ(difference(), "");
    EXPECT_EQ(last_stack().size(), most_frames);
}

TEST_P(unwind_chains, frames_whose_size_only_the_function_knows) {
    for (const unsigned bytes : {16u, 5000u, 300'000u}) {
        GetParam()->alloca_of(bytes, compare_stacks);
        EXPECT_EQ(difference(), "") << bytes;
        GetParam()->aligned_frame(bytes, compare_stacks);
        EXPECT_EQ(difference(), "") << bytes;
    }
}

TEST_P(unwind_chains, frames_of_many_pages_and_frames_with_clean_ups) {
    GetParam()->large_frame(compare_stacks);
    EXPECT_EQ(difference(), "");
    GetParam()->exception_frame(compare_stacks);
    EXPECT_EQ(difference(), "");
}

void compare_in_handler(int) {
    compare_stacks();
}

void handle_on(int flags) {
    struct sigaction action {};
    action.sa_handler = compare_in_handler;
    action.sa_flags = flags;
    ASSERT_EQ(sigaction(SIGUSR1, &action, nullptr), 0);
}

void raise_signal() {
    raise(SIGUSR1);
}

TEST_P(unwind_chains, a_handler_and_what_it_has_interrupted) {
    handle_on(0);
    GetParam()->recursion(10, raise_signal);
    EXPECT_EQ(difference(), "");
    EXPECT_GT(last_stack().size(), 12u);
}

TEST_P(unwind_chains, a_handler_with_a_stack_of_its_own) {
    std::vector<char> memory(64 * 1024);
    stack_t stack{};
    stack.ss_sp = memory.data();
    stack.ss_size = memory.size();
    ASSERT_EQ(sigaltstack(&stack, nullptr), 0);
    handle_on(SA_ONSTACK);
    GetParam()->recursion(10, raise_signal);
    EXPECT_EQ(difference(), "");
    EXPECT_GT(last_stack().size(), 12u);
    stack.ss_flags = SS_DISABLE;
    ASSERT_EQ(sigaltstack(&stack, nullptr), 0);
}

TEST_P(unwind_chains, a_thread) {
    std::thread([] { GetParam()->recursion(20, compare_stacks); }).join();
    EXPECT_EQ(difference(), "");
    EXPECT_GT(last_stack().size(), 20u);
}

const call_chains* of_coroutine = nullptr;
void run_coroutine() {
    of_coroutine->recursion(20, compare_stacks);
}

TEST_P(unwind_chains, a_stack_that_the_program_has_made) {
    std::vector<char> memory(256 * 1024);
    ucontext_t here;
    ucontext_t there;
    ASSERT_EQ(getcontext(&there), 0);
    there.uc_stack.ss_sp = memory.data();
    there.uc_stack.ss_size = memory.size();
    there.uc_link = &here;
    of_coroutine = GetParam();
    makecontext(&there, run_coroutine, 0);
    ASSERT_EQ(swapcontext(&here, &there), 0);
    EXPECT_EQ(difference(), "");
    EXPECT_GT(last_stack().size(), 20u);
}

TEST(unwind, gives_the_innermost_frames_and_no_more_than_asked_for) {
    static uintptr_t all[most_frames];
    const unsigned count = unwind(all, most_frames);
    ASSERT_GT(count, 4u);
    uintptr_t some[5] = {0, 0, 0, 0, 12345};
    EXPECT_EQ(unwind(some, 4), 4u);
    EXPECT_TRUE(std::equal(some + 1, some + 4, all + 1));
    EXPECT_EQ(some[4], 12345u);
    EXPECT_EQ(unwind(nullptr, 0), 0u);
}

class library {
public:
    explicit library(const char* path) : handle_(dlopen(path, RTLD_LAZY | RTLD_LOCAL)) {}
    ~library() { close(); }
    library(const library&) = delete;
    library& operator=(const library&) = delete;

    template <typename Function>
    Function* function(const char* name) {
        return reinterpret_cast<Function*>(dlsym(handle_, name));
    }
    void close() {
        if (handle_ != nullptr)
            dlclose(handle_);
        handle_ = nullptr;
    }

private:
    void* handle_;
};

TEST(unwind, a_library_that_comes_to_the_place_of_another_has_its_own_rules) {
    unsigned same_place = 0;
    const void* before = nullptr;
    for (int i = 0; i < 20; ++i) {
        library l(i % 2 == 0 ? LOWTIDE_TEST_SMALL_FRAME : LOWTIDE_TEST_LARGE_FRAME);
        auto* const call_back = l.function<void(void (*)())>("call_back");
        ASSERT_NE(call_back, nullptr);
        call_back([] { compare_stacks(); });
        EXPECT_EQ(difference(), "") << i;
        same_place += reinterpret_cast<const void*>(call_back) == before ? 1 : 0;
        before = reinterpret_cast<const void*>(call_back);
    }
    RecordProperty("same_place", static_cast<int>(same_place));
    if (same_place == 0)
        GTEST_SKIP() << "the dynamic linker has put each at another place";
}

TEST(unwind, the_dynamic_linker_in_the_midst_of_binding_a_function) {
    library l(LOWTIDE_TEST_SMALL_FRAME);
    l.function<void(void (*)())>("when_resolving")([] { compare_stacks(); });
    l.function<void()>("first_call")();
    EXPECT_EQ(difference(), "");
    EXPECT_GT(last_stack().size(), 5u);
}

#if defined(__x86_64__)

extern "C" void step_through(void (*function)());

// With the trap flag: a SIGTRAP after each instruction.
asm(R"(
        .text
        .globl step_through
        .hidden step_through
step_through:
        .cfi_startproc
        pushfq
        .cfi_adjust_cfa_offset 8
        orq $0x100, (%rsp)
        popfq
        .cfi_adjust_cfa_offset -8
        subq $8, %rsp
        .cfi_adjust_cfa_offset 8
        callq *%rdi
        addq $8, %rsp
        .cfi_adjust_cfa_offset -8
        pushfq
        .cfi_adjust_cfa_offset 8
        andq $~0x100, (%rsp)
        popfq
        .cfi_adjust_cfa_offset -8
        ret
        .cfi_endproc
)");

unsigned steps = 0;
unsigned different = 0;
char first_difference[400];

void compare_after_instruction(int) {
    compare_stacks();
    ++steps;
    const std::string d = difference();
    if (!d.empty() && different++ == 0)
        d.copy(first_difference, sizeof(first_difference) - 1);
}

TEST(unwind, every_instruction_of_a_first_call_through_the_linkage_table) {
    library l(LOWTIDE_TEST_SMALL_FRAME);
    auto* const first_call = l.function<void()>("first_call");
    struct sigaction action {};
    action.sa_handler = compare_after_instruction;
    ASSERT_EQ(sigaction(SIGTRAP, &action, nullptr), 0);
    step_through(first_call);
    signal(SIGTRAP, SIG_DFL);
    EXPECT_GT(steps, 100u);
    EXPECT_EQ(different, 0u) << "of " << steps << "\n" << first_difference;
}

#endif

} // namespace
} // namespace lowtide::test
