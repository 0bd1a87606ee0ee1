// What the assembly needs to know before it may leave the slow paths: sizes and their classes, its own
// addresses, and where the kernel keeps a thread's rseq area.
#include "entry/fast_path.h"

#include "entry/heap.h"
#include "os/generation.h"
#include "os/thread.h"

// Labels in the assembly. The last two sequences are in fast_path_new_x86_64.S, which a static program in C
// doesn't link.
#define SEQUENCE(name, ...)                                                                                  \
    extern const char name##_start[] __VA_ARGS__, name##_commit[] __VA_ARGS__, name##_abort[] __VA_ARGS__
extern "C" {
SEQUENCE(lowtide_malloc);
SEQUENCE(lowtide_malloc_counted);
SEQUENCE(lowtide_free);
SEQUENCE(lowtide_free_sized);
SEQUENCE(lowtide_new, __attribute__((weak)));
SEQUENCE(lowtide_delete_sized, __attribute__((weak)));
extern std::atomic<int64_t> lowtide_rseq_area;
extern std::atomic<uint64_t> lowtide_delete_sizes __attribute__((weak));
// operator delete(void*): the program's own, if it has one.
void _ZdlPv(void* p) noexcept __attribute__((weak, visibility("default")));
}
#undef SEQUENCE

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
#define DESCRIBE(name) describe(name##_start, name##_commit, name##_abort)
    state.malloc_section = DESCRIBE(lowtide_malloc);
    state.counted_section = DESCRIBE(lowtide_malloc_counted);
    state.free_section = DESCRIBE(lowtide_free);
    state.free_sized_section = DESCRIBE(lowtide_free_sized);
    if (lowtide_new_start != nullptr)
        state.new_section = DESCRIBE(lowtide_new);
    if (lowtide_delete_sized_start != nullptr) {
        state.delete_sized_section = DESCRIBE(lowtide_delete_sized);
        if (_ZdlPv == lowtide_free)
            lowtide_delete_sizes.store(FAST_MAX_SIZE + 1, std::memory_order_release);
    }
#undef DESCRIBE
    lowtide_rseq_area.store(words.place().area, std::memory_order_release);
}

} // namespace lowtide
