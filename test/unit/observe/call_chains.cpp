#include "observe/call_chains.h"

#include <alloca.h>
#include <cstdint>

namespace lowtide::test {
namespace {

// Behind each call there is something left to do, so that no call becomes a jump.
volatile unsigned sink = 0;

[[gnu::noinline]] void recursion(unsigned depth, void (*last)()) {
    if (depth == 0)
        last();
    else
        recursion(depth - 1, last);
    sink = depth;
}

[[gnu::noinline]] void alloca_of(unsigned bytes, void (*last)()) {
    auto* const memory = static_cast<volatile char*>(alloca(bytes));
    memory[0] = 1;
    last();
    sink = static_cast<unsigned>(memory[0]);
}

[[gnu::noinline]] void large_frame(void (*last)()) {
    volatile char memory[1 << 18];
    memory[0] = 1;
    last();
    sink = static_cast<unsigned>(memory[0]);
}

// The stack pointer is rounded down: where the frame began is only in memory or in another register.
[[gnu::noinline]] void aligned_frame(unsigned bytes, void (*last)()) {
    alignas(128) volatile char memory[256];
    auto* const more = static_cast<volatile char*>(alloca(bytes));
    memory[0] = 1;
    more[0] = 1;
    last();
    sink = static_cast<unsigned>(memory[0] + more[0]);
}

struct clean_up {
    ~clean_up() { sink = 1; }
};

[[gnu::noinline]] void exception_frame(void (*last)()) {
    const clean_up at_the_end;
    last();
}

} // namespace

const call_chains LOWTIDE_TEST_CHAINS{recursion, alloca_of, large_frame, aligned_frame, exception_frame};

} // namespace lowtide::test
