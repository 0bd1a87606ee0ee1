// See virtual_ids.h. What is defined here goes before what the library has of the same names.
#include "virtual_ids.h"

#include "os/environment.h"
#include "os/generation.h"
#include "os/machine.h"
#include "os/mutex.h"
#include "os/rseq.h"
#include "os/thread.h"
#include "os/vm.h"

#include <atomic>
#include <sys/prctl.h>

namespace lowtide::os {

namespace {

constexpr unsigned by_default = 2;
constexpr size_t mm_cid_field = offsetof(thread_area, mm_cid);
static_assert(mm_cid_field == 24); // include/uapi/linux/rseq.h

std::atomic<unsigned> dealt{0};

unsigned virtual_cpus() noexcept {
    unsigned number = 0;
    with_variable(
        "LOWTIDE_VIRTUAL_CPUS",
        [](void* context, std::string_view value) noexcept {
            for (const char digit : value)
                *static_cast<unsigned*>(context) =
                    *static_cast<unsigned*>(context) * 10 + static_cast<unsigned>(digit - '0');
        },
        &number);
    return number == 0 ? by_default : number;
}

} // namespace

unsigned possible_cpus() noexcept {
    return virtual_cpus();
}

unsigned usable_cpus() noexcept {
    return virtual_cpus();
}

// A millisecond in 64 questions: a run takes the same decisions every time.
uint64_t now_ms() noexcept {
    static std::atomic<uint64_t> questions{0};
    return questions.fetch_add(1, std::memory_order_relaxed) / 64;
}

rseq_support find_rseq(rseq_place& place) noexcept {
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); // whatever the machine's mode: it decides what is in memory
    place.area = static_cast<int64_t>(reinterpret_cast<uintptr_t>(&lowtide_thread) - this_thread());
    place.id = place.area + static_cast<int64_t>(mm_cid_field);
    lowtide_virtual_join();
    return rseq_support::by_cid;
}

// There is always a huge page, whatever the machine has and however long it takes.
huge_page_fill fill_with_huge_page(uintptr_t, size_t) noexcept {
    return {true, 0};
}
void no_more_huge_pages(uintptr_t, size_t) noexcept {}

// Nobody can be restarted; that is only as good where there is nobody else.
bool restart_sequences() noexcept {
    return dealt.load() == 1;
}

} // namespace lowtide::os

bool lowtide_virtual_join() {
    using namespace lowtide::os;
    if (lowtide_thread.cpu_id >= 0)
        return true;
    const unsigned id = dealt.fetch_add(1);
    if (id >= virtual_cpus())
        return false;
    lowtide_thread.mm_cid = id;
    lowtide_thread.cpu_id = static_cast<int32_t>(id);
    return true;
}

// What the linker leads to here (--wrap): a lock that wasn't free at the first try.
static std::atomic<std::uint64_t> contended{0};

extern "C" {

lowtide::os::acquired __real__ZN7lowtide2os5mutex9lock_slowEmb(lowtide::os::mutex*, std::uint64_t,
                                                               bool) noexcept;

lowtide::os::acquired __wrap__ZN7lowtide2os5mutex9lock_slowEmb(lowtide::os::mutex* lock, std::uint64_t seen,
                                                               bool nested) noexcept {
    contended.fetch_add(1, std::memory_order_relaxed);
    return __real__ZN7lowtide2os5mutex9lock_slowEmb(lock, seen, nested);
}
}

std::uint64_t lowtide_virtual_contended() {
    return contended.load(std::memory_order_relaxed);
}
