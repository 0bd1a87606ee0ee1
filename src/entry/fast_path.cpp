// What the assembly needs to know before it may leave the slow paths: sizes and their classes, its own
// addresses, and where the kernel keeps a thread's rseq area.
#include "entry/fast_path.h"

#include "entry/heap.h"
#include "os/generation.h"
#include "os/thread.h"

extern "C" {
// Labels in the assembly.
extern const char lowtide_malloc_start[], lowtide_malloc_commit[], lowtide_malloc_abort[];
// In fast_path_new_x86_64.S, which a static program in C doesn't link.
extern const char lowtide_new_start[] __attribute__((weak)), lowtide_new_commit[] __attribute__((weak)),
    lowtide_new_abort[] __attribute__((weak));
extern const char lowtide_free_start[], lowtide_free_commit[], lowtide_free_abort[];
extern std::atomic<int64_t> lowtide_rseq_area;
}

namespace lowtide {

namespace {

critical_section describe(const char* start, const char* commit, const char* abort) {
    return {0, 0, reinterpret_cast<uint64_t>(start), static_cast<uint64_t>(commit - start),
            reinterpret_cast<uint64_t>(abort)};
}

} // namespace

void prepare_fast_paths(const cache& words) noexcept {
    if (words.policy() != os::rseq_support::by_cid) {
        const auto stand_in = reinterpret_cast<uintptr_t>(&lowtide_thread);
        lowtide_rseq_area.store(static_cast<int64_t>(stand_in - os::this_thread()),
                                std::memory_order_release);
        return;
    }
    fast_state& state = lowtide_fast;
    state.malloc_section = describe(lowtide_malloc_start, lowtide_malloc_commit, lowtide_malloc_abort);
    if (lowtide_new_start != nullptr)
        state.new_section = describe(lowtide_new_start, lowtide_new_commit, lowtide_new_abort);
    state.free_section = describe(lowtide_free_start, lowtide_free_commit, lowtide_free_abort);
    lowtide_rseq_area.store(words.place().area, std::memory_order_release);
}

} // namespace lowtide
