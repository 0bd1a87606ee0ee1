// The program that `stepping` interrupts inside of the allocator's restartable sequences. It knows at every
// moment which blocks it has: each must be its own, must keep its contents, and must come back to the
// allocator when it is freed.
#include "stepping.h"

#include "lowtide/lowtide.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <new>
#include <unistd.h>

extern "C" __attribute__((weak)) decltype(lowtide_owns) lowtide_owns;
extern "C" __attribute__((weak)) decltype(lowtide_stats) lowtide_stats;
extern "C" __attribute__((weak)) void free_sized(void* p, size_t size) noexcept;

// The only breakpoint instruction of this program: the other side knows it by its address.
asm(".text\n"
    ".type rseq_test_stop, @function\n"
    "rseq_test_stop:\n"
    "    movq %rdi, %rax\n"
    "    int3\n"
    "    ret\n"
    ".size rseq_test_stop, .-rseq_test_stop\n");
extern "C" long rseq_test_stop(long said);

using namespace rseq_test;

namespace {

// Enough of each size to go through magazines, of the third also when they are as large as they get; few
// enough that a round takes milliseconds.
struct load {
    size_t size;
    unsigned count;
};
constexpr load loads[] = {{40, 120}, {3000, 40}, {9000, 120}, {300000, 6}};
constexpr unsigned most = 120;

[[noreturn]] void fail(const char* what) {
    fprintf(stderr, "FAILED in the stepped program: %s\n", what);
    _exit(1);
}

size_t live_bytes() {
    lowtide_statistics now = {};
    now.size = sizeof(now);
    if (lowtide_stats == nullptr || lowtide_stats(&now) != 0)
        fail("no statistics: this doesn't run on lowtide");
    return now.live;
}

void* allocate(unsigned i, size_t size) {
    rseq_test_stop(operation_begins);
    void* p = i % 2 == 0 ? malloc(size) : ::operator new(size);
    rseq_test_stop(operation_ends);
    if (p == nullptr || lowtide_owns(p) == 0)
        fail("an allocation gave no block of lowtide's");
    return p;
}

void release(unsigned i, void* p, size_t size) {
    rseq_test_stop(operation_begins);
    switch (i % 4) {
    case 0:
        free(p);
        break;
    case 1:
        ::operator delete(p);
        break;
    case 2:
        free_sized(p, size);
        break;
    case 3:
        ::operator delete(p, size);
        break;
    }
    rseq_test_stop(operation_ends);
}

void run(const load& l) {
    static void* blocks[most];
    const size_t live = live_bytes();
    for (unsigned i = 0; i < l.count; ++i) {
        blocks[i] = allocate(i, l.size);
        for (unsigned other = 0; other < i; ++other) {
            if (blocks[other] == blocks[i])
                fail("a block was handed out twice");
        }
        memset(blocks[i], static_cast<int>(i + 1), l.size);
    }
    // What the allocator says is live is what is live: nothing was taken out of a magazine and lost.
    if (live_bytes() != live + l.count * malloc_usable_size(blocks[0]))
        fail("a block was lost while others were allocated");
    for (unsigned i = 0; i < l.count; ++i) {
        const auto* bytes = static_cast<const unsigned char*>(blocks[i]);
        for (size_t at = 0; at < l.size; ++at) {
            if (bytes[at] != static_cast<unsigned char>(i + 1))
                fail("a block's contents changed");
        }
        release(i, blocks[i], l.size);
    }
    if (live_bytes() != live)
        fail("a block was lost while others were freed");
}

} // namespace

int main() {
    while (rseq_test_stop(round_begins) != finish) {
        for (const load& l : loads)
            run(l);
        rseq_test_stop(round_ends);
    }
}
