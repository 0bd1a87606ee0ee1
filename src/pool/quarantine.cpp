#include "pool/quarantine.h"

#include "os/mutex.h"
#include "os/vm.h"
#include "pages/ceiling.h"

namespace lowtide {

namespace {

// Each is a mapping, of which a process may have 65,530 (vm.max_map_count).
constexpr unsigned most_kept = 4096;
constexpr size_t most_bytes = size_t{1} << 30;

struct kept {
    uintptr_t base = 0;
    size_t bytes = 0;
};

constinit os::mutex lock;
constinit kept queue[most_kept]{};
constinit unsigned first = 0;
constinit unsigned count = 0;
constinit size_t bytes_kept = 0;

size_t whole_pages(size_t bytes) noexcept {
    return align_up(bytes, os::page_size());
}

kept take_oldest() noexcept {
    const kept oldest = queue[first];
    first = (first + 1) % most_kept;
    --count;
    bytes_kept -= oldest.bytes;
    return oldest;
}

} // namespace

uintptr_t map_guarded(size_t bytes, size_t alignment) noexcept {
    const size_t page = os::page_size();
    if (guarded_ceiling != nullptr && !guarded_ceiling->allows(whole_pages(bytes)))
        return 0;
    const uintptr_t base = os::map(whole_pages(bytes), alignment < page ? page : alignment);
    if (base != 0 && guarded_ceiling != nullptr)
        guarded_ceiling->add_huge(whole_pages(bytes));
    return base;
}

void retire_guarded(uintptr_t base, size_t bytes) noexcept {
    bytes = whole_pages(bytes);
    if (guarded_ceiling != nullptr)
        guarded_ceiling->take_huge(bytes);
    if (bytes > most_bytes && os::release(base, bytes))
        return;
    os::decommit(base, bytes);
    // A thread of the parent's that was in here when it forked can have lost one entry at most.
    if (lock.lock() == os::acquired::mine)
        return;
    while (count != 0 && (count == most_kept || bytes_kept + bytes > most_bytes)) {
        const kept oldest = take_oldest();
        (void)os::release(oldest.base, oldest.bytes); // where the kernel can't, it stays inaccessible
    }
    queue[(first + count) % most_kept] = {base, bytes};
    ++count;
    bytes_kept += bytes;
    lock.unlock();
}

} // namespace lowtide
