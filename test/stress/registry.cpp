#include "registry.h"

#include "report.h"

#include <sys/mman.h>

namespace stress {

namespace {

constexpr size_t bytes_per_shard = size_t{2} << 20;

} // namespace

registry::registry()
    : memory_(mmap(nullptr, shard_count * bytes_per_shard, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
    if (memory_ == MAP_FAILED)
        fail("no memory for the registry");
    for (unsigned i = 0; i < shard_count; ++i) {
        shard& s = shards_[i];
        s.memory.emplace(static_cast<char*>(memory_) + i * bytes_per_shard, bytes_per_shard,
                         std::pmr::null_memory_resource());
        s.pool.emplace(&*s.memory);
        s.live.emplace(&*s.pool);
    }
}

registry::~registry() {
    for (shard& s : shards_) {
        s.live.reset();
        s.pool.reset();
        s.memory.reset();
    }
    munmap(memory_, shard_count * bytes_per_shard);
}

template <typename Visit>
void registry::for_each_piece(const void* p, size_t size, Visit visit) {
    auto at = reinterpret_cast<uintptr_t>(p);
    const uintptr_t end = at + size;
    while (at < end) {
        const uintptr_t next = (at / stretch + 1) * stretch;
        const uintptr_t until = next < end ? next : end;
        shard& s = shards_[at / stretch % shard_count];
        const std::lock_guard lock(s.mutex);
        visit(*s.live, at, until);
        at = until;
    }
}

void registry::claim(const void* p, size_t size) {
    for_each_piece(p, size, [&](intervals& live, uintptr_t from, uintptr_t to) {
        const auto next = live.lower_bound(from);
        const auto complain = [&](const auto& other) {
            fail("%p (%zu bytes) overlaps a live block at %#lx .. %#lx", p, size, other.first, other.second);
        };
        if (next != live.end() && next->first < to)
            complain(*next);
        if (next != live.begin() && std::prev(next)->second > from)
            complain(*std::prev(next));
        live.emplace_hint(next, from, to);
    });
}

void registry::release(const void* p, size_t size) {
    for_each_piece(p, size, [](intervals& live, uintptr_t from, uintptr_t) { live.erase(from); });
}

} // namespace stress
