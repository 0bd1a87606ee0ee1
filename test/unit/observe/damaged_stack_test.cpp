// Stacks that lead nowhere: the walk ends, and the process doesn't.
#include "observe/stacks.h"
#include "observe/unwind.h"
#include "os/readable.h"
#include "support/emulated.h"

#include <algorithm>
#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <sys/mman.h>
#include <vector>

#if defined(__x86_64__)

// As a compiler that writes no call frame information has it, and others that write a wrong one: each calls
// `last` with `frame_pointer` as its caller's frame pointer.
extern "C" {
void call_without_rules(void (*last)(), uintptr_t frame_pointer);
void call_with_wrong_cfa(void (*last)(), uintptr_t frame_pointer);
void call_with_cfa_in_rbx(void (*last)(), uintptr_t frame_pointer);
// The same on another stack, whose highest address is `top`.
void call_on_stack(void (*last)(), uintptr_t frame_pointer, uintptr_t top);
// Pushes a frame pointer as functions do.
void call_with_frame_pointer(void (*last)());
void end_of_call_with_frame_pointer();
}

asm(R"(
        .text
call_without_rules:
        pushq %rbp
        movq %rsi, %rbp
        callq *%rdi
        popq %rbp
        ret

call_with_wrong_cfa:
        .cfi_startproc
        pushq %rbp
        .cfi_def_cfa %rsp, 0x3000000
        movq %rsi, %rbp
        callq *%rdi
        popq %rbp
        ret
        .cfi_endproc

call_with_cfa_in_rbx:
        .cfi_startproc
        pushq %rbx
        .cfi_def_cfa %rbx, 16
        movq %rsi, %rbx
        callq *%rdi
        popq %rbx
        ret
        .cfi_endproc

call_on_stack:
        pushq %rbp
        pushq %rbx
        movq %rsp, %rbx
        movq %rdx, %rsp
        movq %rsi, %rbp
        callq *%rdi
        movq %rbx, %rsp
        popq %rbx
        popq %rbp
        ret

call_with_frame_pointer:
        pushq %rbp
        movq %rsp, %rbp
        callq *%rdi
        popq %rbp
        ret
end_of_call_with_frame_pointer:
        nop
)");

namespace lowtide::test {
namespace {

unsigned found = 0;

[[gnu::noinline]] void walk_here() {
    static uintptr_t frames[most_frames];
    found = unwind(frames, most_frames);
}

// Some pages; behind them one that can't be accessed.
class pages {
public:
    explicit pages(size_t bytes) : bytes_(bytes) {
        at_ = static_cast<char*>(mmap(nullptr, bytes + guard, PROT_READ | PROT_WRITE | PROT_EXEC,
                                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        mprotect(at_ + bytes, guard, PROT_NONE);
    }
    ~pages() { munmap(at_, bytes_ + guard); }
    pages(const pages&) = delete;
    pages& operator=(const pages&) = delete;
    [[nodiscard]] uintptr_t begin() const { return reinterpret_cast<uintptr_t>(at_); }
    [[nodiscard]] uintptr_t end() const { return begin() + bytes_; }

private:
    static constexpr size_t guard = 65536;
    char* at_;
    size_t bytes_;
};

TEST(readable, is_what_has_access_and_nothing_else) {
    if (emulated)
        GTEST_SKIP() << "qemu-user looks at what is to be done first";
    const pages some(65536);
    EXPECT_TRUE(os::is_readable(some.begin()));
    EXPECT_TRUE(os::is_readable(some.end() - 8));
    EXPECT_FALSE(os::is_readable(some.end()));
    EXPECT_FALSE(os::is_readable(8));
    EXPECT_FALSE(os::is_readable(uintptr_t{1} << 63));
    EXPECT_FALSE(os::is_readable(~uintptr_t{7}));
}

// Frame pointers that are none.
std::vector<uintptr_t> wild_addresses(const pages& some) {
    const auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
    return {0,
            1,
            8,
            4096,
            ~uintptr_t{0},
            ~uintptr_t{7},
            ~uintptr_t{15},
            uintptr_t{1} << 47,
            uintptr_t{1} << 63,
            0x7fff'ffff'fff8,
            0xffff'ffff'ff60'0000, // the vsyscall page
            some.begin(),
            some.begin() + 3,
            some.end() - 8,
            some.end() - 16,
            some.end(),
            some.end() + 64,
            here,
            here + 8,
            here + 4,
            here - 65536,
            here + 65536,
            here + (uintptr_t{16} << 20)};
}

TEST(damaged_stack, a_wild_frame_pointer_ends_the_walk) {
    const pages some(65536);
    for (const uintptr_t wild : wild_addresses(some)) {
        call_without_rules(walk_here, wild);
        EXPECT_GE(found, 2u);
        call_with_wrong_cfa(walk_here, wild);
        EXPECT_GE(found, 2u);
        call_with_cfa_in_rbx(walk_here, wild);
        EXPECT_GE(found, 2u);
        call_on_stack(walk_here, wild, some.end());
        EXPECT_GE(found, 2u);
    }
}

TEST(damaged_stack, frames_that_point_to_themselves_are_no_endless_walk) {
    const pages some(65536);
    auto* const frame = reinterpret_cast<uintptr_t*>(some.end() - 64);
    frame[0] = some.end() - 64;
    frame[1] = reinterpret_cast<uintptr_t>(&call_without_rules);
    call_on_stack(walk_here, some.end() - 64, some.end() - 128);
    EXPECT_GE(found, 2u);
    EXPECT_LT(found, 5u);
}

TEST(damaged_stack, of_random_words_nothing_faults) {
    std::mt19937_64 random(20261201);
    const pages some(16 * 4096);
    auto* const words = reinterpret_cast<uintptr_t*>(some.begin());
    const size_t count = (some.end() - some.begin()) / sizeof(uintptr_t);
    const auto code = reinterpret_cast<uintptr_t>(&walk_here);
    const auto libc = reinterpret_cast<uintptr_t>(&memcpy);
    unsigned deepest = 0;
    for (int round = 0; round < 20'000; ++round) {
        // The lower half is the stack of the walk itself. Above it frames, addresses of code, and anything.
        for (size_t i = count / 2; i < count; ++i)
            switch (random() % 4) {
            case 0:
                words[i] = some.begin() + (some.end() - some.begin()) / 2 + (random() % (count / 2 + 2)) * 8;
                break;
            case 1:
                words[i] = code + random() % 65536 - 32768;
                break;
            case 2:
                words[i] = libc + random() % (1 << 20) - (1 << 19);
                break;
            default:
                words[i] = random() >> (random() % 64);
            }
        const uintptr_t top = reinterpret_cast<uintptr_t>(words + count / 2);
        call_on_stack(walk_here, top + random() % 2048 * 8, top);
        EXPECT_GE(found, 2u);
        deepest = std::max(deepest, found);
    }
    EXPECT_GT(deepest, 6u); // or nothing of it was looked at
}

TEST(damaged_stack, a_stack_ends_where_nothing_can_be_read) {
    const pages some(16 * 4096);
    for (const uintptr_t distance : {0u, 8u, 16u, 24u, 64u}) {
        // Each frame leads to the next, the last one to behind the end.
        const uintptr_t last = some.end() - distance;
        const uintptr_t first = some.end() - 4096;
        auto* const frame = reinterpret_cast<uintptr_t*>(first);
        frame[0] = last;
        frame[1] = reinterpret_cast<uintptr_t>(&call_without_rules);
        call_on_stack(walk_here, first, first - 64);
        EXPECT_GE(found, 3u);
    }
}

// Code that a program makes at run time has no rules, but its functions begin with the usual frame.
TEST(damaged_stack, code_made_at_run_time_is_walked_by_frame_pointers) {
    const pages some(65536);
    const size_t length = reinterpret_cast<uintptr_t>(&end_of_call_with_frame_pointer) -
                          reinterpret_cast<uintptr_t>(&call_with_frame_pointer);
    memcpy(reinterpret_cast<void*>(some.begin()), reinterpret_cast<const void*>(&call_with_frame_pointer),
           length);
    const auto made = reinterpret_cast<void (*)(void (*)())>(some.begin());
    static uintptr_t direct[most_frames];
    const unsigned count = unwind(direct, most_frames);
    made([] { compare_stacks(); });
    const std::vector<uintptr_t> stack = last_stack();
    const auto in_made = std::find_if(stack.begin(), stack.end(), [&](uintptr_t pc) {
        return pc - some.begin() < some.end() - some.begin();
    });
    ASSERT_NE(in_made, stack.end());
    // What lies behind it are the callers that were there without it, but for the place in this function.
    ASSERT_EQ(stack.end() - in_made - 1, count);
    EXPECT_TRUE(std::equal(in_made + 2, stack.end(), direct + 1));
}

} // namespace
} // namespace lowtide::test

#endif
