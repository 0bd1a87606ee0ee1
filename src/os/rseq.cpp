#include "os/rseq.h"

#include "os/generation.h"
#include "os/syscall.h"

#include <sys/auxv.h>

extern "C" {
// glibc's; absent from others, hence weak.
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));
}

namespace lowtide::os {

namespace {

constexpr int64_t cpu_id_field = 4;
constexpr int64_t mm_cid_field = 24;
constexpr unsigned size_with_mm_cid = 28;
constexpr unsigned long at_rseq_feature_size = 27; // AT_RSEQ_FEATURE_SIZE, Linux 6.3

} // namespace

rseq_support find_rseq(rseq_place& place) noexcept {
    if (&__rseq_size == nullptr || &__rseq_offset == nullptr || __rseq_size == 0)
        return rseq_support::locked;
    place.area = __rseq_offset;
    const auto area = this_thread() + static_cast<uintptr_t>(place.area);
    // Negative: the kernel has refused the registration.
    if (*reinterpret_cast<const volatile int32_t*>(area + cpu_id_field) < 0)
        return rseq_support::locked;
    // glibc's __rseq_size doesn't answer this: it says 20 on 2.36, though the registered area has 32 bytes
    // (the least that the kernel accepts), of which a kernel that knows mm_cid writes the first 28.
    const bool dense = getauxval(at_rseq_feature_size) >= size_with_mm_cid;
    place.id = place.area + (dense ? mm_cid_field : cpu_id_field);
    return dense ? rseq_support::by_cid : rseq_support::by_cpu;
}

bool restart_sequences() noexcept {
    constexpr long expedited_rseq = 1 << 7;
    constexpr long register_expedited_rseq = 1 << 8;
    return system_call(SYS_membarrier, expedited_rseq) == 0 ||
           (system_call(SYS_membarrier, register_expedited_rseq) == 0 &&
            system_call(SYS_membarrier, expedited_rseq) == 0);
}

} // namespace lowtide::os
