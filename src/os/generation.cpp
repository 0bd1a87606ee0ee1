#include "os/generation.h"

#include "os/syscall.h"
#include "os/vm.h"

#include <atomic>

namespace lowtide::os {

namespace {

struct state {
    // The page that is wiped in a child: the number, 0 = not noticed yet, and word_of_process().
    std::atomic<std::atomic<uint32_t>*> page{nullptr};
    std::atomic<uint32_t> latest{1}; // survives the fork, unlike the page's number
    std::atomic<uintptr_t> survivor{0};
    std::atomic<long> process{0};         // the id of the process that the page's number is of
    std::atomic<uint32_t> plain[2]{1, 0}; // takes the page's part where the kernel can't wipe
};
constinit state the_state;

std::atomic<uint32_t>* make_page() noexcept {
    const uintptr_t base = map(page_size(), page_size());
    std::atomic<uint32_t>* fresh = the_state.plain;
    if (base != 0 && wipe_on_fork(base, page_size()))
        fresh = reinterpret_cast<std::atomic<uint32_t>*>(base);
    else if (base != 0)
        release(base, page_size());
    fresh->store(the_state.latest.load(std::memory_order_relaxed), std::memory_order_relaxed);
    std::atomic<uint32_t>* expected = nullptr;
    the_state.process.store(system_call(SYS_getpid), std::memory_order_relaxed);
    if (the_state.page.compare_exchange_strong(expected, fresh))
        return fresh;
    if (fresh != the_state.plain)
        release(base, page_size());
    return expected;
}

// The first to notice in the child counts on; it is the only thread there, or was when the child began.
[[gnu::cold, gnu::noinline]] uint32_t begin_generation(std::atomic<uint32_t>& number) noexcept {
    constexpr uint32_t wrap = (uint32_t{1} << generation_bits) - 1;
    const uint32_t previous = the_state.latest.load(std::memory_order_relaxed);
    const uint32_t next = previous >= wrap ? 1 : previous + 1;
    uint32_t seen = 0;
    the_state.survivor.store(this_thread(), std::memory_order_relaxed);
    if (number.compare_exchange_strong(seen, next)) {
        the_state.latest.store(next, std::memory_order_relaxed);
        the_state.process.store(system_call(SYS_getpid), std::memory_order_relaxed);
        return next;
    }
    return seen;
}

} // namespace

uint32_t generation() noexcept {
    std::atomic<uint32_t>* page = the_state.page.load(std::memory_order_acquire);
    if (page == nullptr) [[unlikely]]
        page = make_page();
    const uint32_t number = page->load(std::memory_order_relaxed);
    if (number != 0) [[likely]]
        return number;
    return begin_generation(*page);
}

void after_fork_in_child() noexcept {
    // Not wiped, and not noticed: the kernel can't, or an emulator (qemu-user 7.2) only says that it will.
    std::atomic<uint32_t>* page = the_state.page.load(std::memory_order_acquire);
    if (page != nullptr && the_state.process.load(std::memory_order_relaxed) != system_call(SYS_getpid))
        for (int i = 0; i < 2; ++i)
            page[i].store(0, std::memory_order_relaxed);
    generation();
}

bool in_borrowed_memory() noexcept {
    generation(); // a child of fork is told apart here
    return the_state.process.load(std::memory_order_relaxed) != system_call(SYS_getpid);
}

std::atomic<uint32_t>& word_of_process() noexcept {
    generation();
    return the_state.page.load(std::memory_order_relaxed)[1];
}

bool fork_is_noticed() noexcept {
    generation();
    return the_state.page.load(std::memory_order_relaxed) != the_state.plain;
}

bool survived_fork(uintptr_t thread) noexcept {
    return the_state.survivor.load(std::memory_order_relaxed) == thread;
}

} // namespace lowtide::os
