#include "os/vm.h"

#include "base/bits.h"
#include "os/machine.h"
#include "os/probe.h"
#include "os/syscall.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <sys/auxv.h>
#include <sys/mman.h>

namespace lowtide::os {

namespace {

constexpr int reserved_flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
constexpr int map_fixed_noreplace = 0x100000; // Linux 4.17; before, the address is a hint and may be missed
constexpr int mapped_flags = MAP_PRIVATE | MAP_ANONYMOUS;

uintptr_t map_raw(uintptr_t hint, size_t bytes, int protection, int flags) noexcept {
    const long at =
        system_call(SYS_mmap, static_cast<long>(hint), static_cast<long>(bytes), protection, flags, -1, 0);
    return failed(at) ? 0 : static_cast<uintptr_t>(at);
}

// mmap aligns to pages only. First try: the place as it comes, which is aligned when its neighbour's end was.
// Second: more than asked for, with the ends cut off. What is aligned is the address `header` bytes into the
// mapping.
uintptr_t map_aligned(size_t header, size_t bytes, size_t alignment, int protection, int flags) noexcept {
    const uintptr_t first = map_raw(0, bytes, protection, flags);
    if (first == 0 || ((first + header) & (alignment - 1)) == 0)
        return first;
    release(first, bytes);
    const size_t slack = alignment - page_size();
    if (bytes > SIZE_MAX - slack)
        return 0;
    const uintptr_t wide = map_raw(0, bytes + slack, protection, flags);
    if (wide == 0)
        return 0;
    const uintptr_t base = align_up(wide + header, alignment) - header;
    if (base != wide)
        release(wide, base - wide);
    if (wide + slack != base)
        release(base + bytes, wide + slack - base);
    return base;
}

} // namespace

size_t page_size() noexcept {
    // Written with the same value by whoever comes first. Not 0, so that it is among the data that are
    // resident anyway.
    constexpr size_t unknown = 1;
    static size_t cached = unknown;
    size_t size = __atomic_load_n(&cached, __ATOMIC_RELAXED);
    if (size == unknown) {
        size = getauxval(AT_PAGESZ);
        __atomic_store_n(&cached, size, __ATOMIC_RELAXED);
    }
    return size;
}

uintptr_t reserve(size_t bytes, size_t alignment) noexcept {
    return map_aligned(0, bytes, alignment, PROT_NONE, reserved_flags);
}

// Without MAP_NORESERVE: when one object gets all of it, the kernel is to say whether that can ever be had.
uintptr_t reserve_behind(size_t header, size_t bytes, size_t alignment) noexcept {
    return map_aligned(header, bytes, alignment, PROT_NONE, mapped_flags);
}

claimed claim(uintptr_t base, size_t bytes) noexcept {
    const long at = system_call(SYS_mmap, static_cast<long>(base), static_cast<long>(bytes),
                                PROT_READ | PROT_WRITE, mapped_flags | map_fixed_noreplace, -1, 0);
    if (at == -ENOMEM)
        return claimed::refused;
    if (failed(at))
        return claimed::taken;
    if (static_cast<uintptr_t>(at) == base)
        return claimed::yes;
    release(static_cast<uintptr_t>(at), bytes); // a kernel that doesn't know the flag (before 4.17)
    return claimed::taken;
}

bool commit(uintptr_t base, size_t bytes) noexcept {
    LOWTIDE_PROBE(lowtide, commit, base, bytes);
    return system_call(SYS_mprotect, static_cast<long>(base), static_cast<long>(bytes),
                       PROT_READ | PROT_WRITE) == 0;
}

void decommit(uintptr_t base, size_t bytes) noexcept {
    map_raw(base, bytes, PROT_NONE, reserved_flags | MAP_FIXED);
}

static bool advise(uintptr_t base, size_t bytes, int advice) noexcept {
    return system_call(SYS_madvise, static_cast<long>(base), static_cast<long>(bytes), advice) == 0;
}

bool purge(uintptr_t base, size_t bytes) noexcept {
    LOWTIDE_PROBE(lowtide, purge, base, bytes);
    return advise(base, bytes, MADV_DONTNEED);
}

namespace {

// Of each of these pages, in the lowest bit, whether it is in memory. False when the system doesn't say.
bool in_memory(uintptr_t base, size_t pages, unsigned char* answers) noexcept {
    return system_call(SYS_mincore, static_cast<long>(base), static_cast<long>(pages * page_size()),
                       reinterpret_cast<long>(answers)) == 0;
}

} // namespace

bool populate(uintptr_t base, size_t bytes) noexcept {
    constexpr int madv_populate_write = 23;
    return advise(base, bytes, madv_populate_write);
}

// The advice stays: neighbours of the same advice, faulted in one after the other, are one mapping. Were it
// taken back at once, each block would be one of its own for ever, for the kernel ties pages to mappings at
// the first fault.
huge_page_fill fill_with_huge_page(uintptr_t base, size_t bytes) noexcept {
    const uint64_t began = thread_cpu_us(); // unlike the time of day: being preempted doesn't count
    if (!advise(base, bytes, MADV_HUGEPAGE))
        return {false, 0};
    unsigned char last = 0;
    const bool done =
        populate(base, page_size()) && in_memory(base + bytes - page_size(), 1, &last) && (last & 1) != 0;
    if (!done)
        no_more_huge_pages(base, bytes);
    return {done, static_cast<uint32_t>(thread_cpu_us() - began)};
}

namespace {

// /sys/kernel/mm/transparent_hugepage/enabled
enum class huge_page_mode : uint8_t { unknown, never, asked, always };

[[LOWTIDE_RARE, gnu::noinline]] huge_page_mode find_huge_page_mode() noexcept {
    static std::atomic<huge_page_mode> known{huge_page_mode::unknown};
    huge_page_mode mode = known.load(std::memory_order_relaxed);
    if (mode == huge_page_mode::unknown) {
        char text[64]; // "always [madvise] never"
        const long length = read_file("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof(text));
        const std::string_view modes(text, length > 0 ? static_cast<size_t>(length) : 0);
        mode = modes.find("[always]") != modes.npos    ? huge_page_mode::always
               : modes.find("[madvise]") != modes.npos ? huge_page_mode::asked
                                                       : huge_page_mode::never;
        known.store(mode, std::memory_order_relaxed);
    }
    return mode;
}

} // namespace

bool huge_pages_come_unasked() noexcept {
    return find_huge_page_mode() == huge_page_mode::always;
}

bool collapse(uintptr_t base, size_t bytes) noexcept {
    constexpr int madv_collapse = 25;
    return find_huge_page_mode() != huge_page_mode::never && advise(base, bytes, madv_collapse);
}

void split_huge_page(uintptr_t page) noexcept {
    constexpr int madv_cold = 20;
    advise(page, page_size(), madv_cold);
}

size_t count_own_pages(uintptr_t base, size_t bytes) noexcept {
    constexpr size_t most = 512;
    constexpr uint64_t present = uint64_t{1} << 63; // proc_pid_pagemap(5)
    constexpr uint64_t exclusive = uint64_t{1} << 56;
    uint64_t entries[most];
    const size_t pages = bytes / page_size();
    const long fd =
        system_call(SYS_openat, AT_FDCWD, reinterpret_cast<long>("/proc/self/pagemap"), O_RDONLY | O_CLOEXEC);
    if (failed(fd))
        return 0;
    const long got = system_call(SYS_pread64, fd, reinterpret_cast<long>(entries),
                                 static_cast<long>((pages < most ? pages : most) * sizeof(uint64_t)),
                                 static_cast<long>(base / page_size() * sizeof(uint64_t)));
    close_file(static_cast<int>(fd));
    size_t own = 0;
    for (size_t i = 0; !failed(got) && i < static_cast<size_t>(got) / sizeof(uint64_t); ++i)
        own += (entries[i] & present) != 0 && (entries[i] & exclusive) != 0 ? 1 : 0;
    return own;
}

bool all_in_memory(uintptr_t base, size_t bytes) noexcept {
    constexpr size_t most = 1024;
    unsigned char answers[most];
    const size_t pages = bytes / page_size();
    if (pages > most || !in_memory(base, pages, answers))
        return false;
    for (size_t i = 0; i < pages; ++i)
        if ((answers[i] & 1) == 0)
            return false;
    return true;
}

void allow_huge_pages(uintptr_t base, size_t bytes) noexcept {
    advise(base, bytes, MADV_HUGEPAGE);
}

void prefer_node(uintptr_t base, size_t bytes, int node) noexcept {
    constexpr unsigned long most_nodes = 1024; // CONFIG_NODES_SHIFT is at most 10
    constexpr long by_default = 0;             // MPOL_DEFAULT
    constexpr long preferred = 1;              // MPOL_PREFERRED of include/uapi/linux/mempolicy.h
    unsigned long nodes[most_nodes / 64]{};
    if (node >= static_cast<int>(most_nodes))
        return;
    if (node >= 0)
        nodes[node / 64] = 1UL << (node % 64);
    system_call(SYS_mbind, static_cast<long>(base), static_cast<long>(bytes),
                node < 0 ? by_default : preferred, node < 0 ? 0 : reinterpret_cast<long>(nodes),
                node < 0 ? 0 : static_cast<long>(most_nodes), 0);
}

void no_more_huge_pages(uintptr_t base, size_t bytes) noexcept {
    advise(base, bytes, MADV_NOHUGEPAGE);
}

namespace {

// Of these many pages at most is asked at once which are in memory.
constexpr size_t zero_step = 256;

// Zeroes whole pages, at most zero_step. Pages that are in memory at either end are written: so was the start
// of a buffer that is used from its start, and will be again. Between them little is purged and much is
// written. A purge and the faults after it cost about 15 times as much a page as writing zeros to it
// (docs/design.md).
[[LOWTIDE_RARE]] void zero_pages(uintptr_t base, size_t pages) noexcept {
    constexpr size_t sparse = 16;
    const auto write = [base](size_t from, size_t to) {
        memset(reinterpret_cast<void*>(base + from * page_size()), 0, (to - from) * page_size());
    };
    unsigned char in_core[zero_step];
    if (!in_memory(base, pages, in_core))
        return write(0, pages);
    const auto resident = [&in_core](size_t page) { return (in_core[page] & 1) != 0; };
    size_t first = 0;
    size_t last = pages;
    while (first < last && resident(first))
        ++first;
    while (first < last && resident(last - 1))
        --last;
    if (first == last)
        return write(0, pages);
    // Were nothing taken from an end it would only ever grow, by the pages next to it that were used once.
    first -= first > 1 ? 1 : 0;
    last += pages - last > 1 ? 1 : 0;
    size_t between = 0;
    for (size_t page = first; page < last; ++page)
        between += resident(page) ? 1 : 0;
    if (between > (last - first) / sparse || !purge(base + first * page_size(), (last - first) * page_size()))
        return write(0, pages);
    write(0, first);
    write(last, pages);
}

} // namespace

void zero(void* at, size_t bytes) noexcept {
    auto base = reinterpret_cast<uintptr_t>(at);
    const uintptr_t end = base + bytes;
    if (bytes >= zero_step * page_size() && base % page_size() == 0)
        while (end - base >= page_size()) {
            const size_t left = (end - base) / page_size();
            const size_t pages = left < zero_step ? left : zero_step;
            zero_pages(base, pages);
            base += pages * page_size();
        }
    memset(reinterpret_cast<void*>(base), 0, end - base);
}

bool release(uintptr_t base, size_t bytes) noexcept {
    return system_call(SYS_munmap, static_cast<long>(base), static_cast<long>(bytes)) == 0;
}

uintptr_t map(size_t bytes, size_t alignment) noexcept {
    return map_aligned(0, bytes, alignment, PROT_READ | PROT_WRITE, mapped_flags);
}

bool resize_in_place(uintptr_t base, size_t old_bytes, size_t new_bytes) noexcept {
    return !failed(system_call(SYS_mremap, static_cast<long>(base), static_cast<long>(old_bytes),
                               static_cast<long>(new_bytes), 0));
}

bool move(uintptr_t base, size_t old_bytes, uintptr_t target, size_t new_bytes) noexcept {
    const long at =
        system_call(SYS_mremap, static_cast<long>(base), static_cast<long>(old_bytes),
                    static_cast<long>(new_bytes), MREMAP_MAYMOVE | MREMAP_FIXED, static_cast<long>(target));
    if (!failed(at))
        return true;
    // Kernels before 6.17 unmap the target before they find out that they can't move, and another thread may
    // have mapped something there by now. If the place is free, or one mapping of this very size, it is ours
    // to release.
    const bool free = map_raw(target, new_bytes, PROT_NONE, reserved_flags | map_fixed_noreplace) == target;
    if (free || resize_in_place(target, new_bytes, new_bytes))
        release(target, new_bytes);
    return false;
}

bool wipe_on_fork(uintptr_t base, size_t bytes) noexcept {
    constexpr int madv_wipeonfork = 18;
    return advise(base, bytes, madv_wipeonfork);
}

uintptr_t share_file(int fd, size_t offset, size_t bytes) noexcept {
    if (failed(system_call(SYS_ftruncate, fd, static_cast<long>(offset + bytes))))
        return 0;
    const long at = system_call(SYS_mmap, 0, static_cast<long>(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                                static_cast<long>(offset));
    if (failed(at))
        return 0;
    system_call(SYS_madvise, at, static_cast<long>(bytes), MADV_DONTFORK);
    return static_cast<uintptr_t>(at);
}

} // namespace lowtide::os
