// Where the page tier gets its memory and its time from. The system in a process; fake pages, injected
// failures and an injected clock in a unit test. See os/vm.h for what each function promises.
#pragma once

#include "os/machine.h"
#include "os/vm.h"

#include <cstddef>
#include <cstdint>

namespace lowtide {

struct page_source {
    uintptr_t (*reserve)(size_t bytes, size_t alignment) noexcept = os::reserve;
    os::claimed (*claim)(uintptr_t base, size_t bytes) noexcept = os::claim;
    bool (*commit)(uintptr_t base, size_t bytes) noexcept = os::commit;
    void (*decommit)(uintptr_t base, size_t bytes) noexcept = os::decommit;
    bool (*purge)(uintptr_t base, size_t bytes) noexcept = os::purge;
    os::huge_page_fill (*fill_with_huge_page)(uintptr_t base,
                                              size_t bytes) noexcept = os::fill_with_huge_page;
    void (*allow_huge_pages)(uintptr_t base, size_t bytes) noexcept = os::allow_huge_pages;
    void (*no_more_huge_pages)(uintptr_t base, size_t bytes) noexcept = os::no_more_huge_pages;
    void (*split_huge_page)(uintptr_t page) noexcept = os::split_huge_page;
    bool (*huge_pages_come_unasked)() noexcept = os::huge_pages_come_unasked;
    bool (*populate)(uintptr_t base, size_t bytes) noexcept = os::populate;
    bool (*collapse)(uintptr_t base, size_t bytes) noexcept = os::collapse;
    size_t (*count_own_pages)(uintptr_t base, size_t bytes) noexcept = os::count_own_pages;
    bool (*all_in_memory)(uintptr_t base, size_t bytes) noexcept = os::all_in_memory;
    bool (*release)(uintptr_t base, size_t bytes) noexcept = os::release;
    uintptr_t (*map)(size_t bytes, size_t alignment) noexcept = os::map;
    size_t (*space_limit)() noexcept = os::address_space_limit;
    uint64_t (*now_ms)() noexcept = os::now_ms;
    uint64_t (*process_cpu_us)() noexcept = os::process_cpu_us;
    uint64_t (*thread_cpu_us)() noexcept = os::thread_cpu_us;
};

} // namespace lowtide
