// The account in words: for malloc_stats, malloc_info and the report at exit. Nothing here allocates.
#pragma once

#include "base/print.h"
#include "observe/account.h"

namespace lowtide {

// A few lines of totals, then a line for each size class that was used.
[[gnu::cold]] void print_account(printer& out, const account& a) noexcept;

// malloc_info's XML: the elements of glibc's that have a meaning here, and ours beside them.
[[gnu::cold]] void print_xml(printer& out, const account& a) noexcept;

// What the kernel says about this process: resident memory now and at its peak, page faults.
[[gnu::cold]] void print_process(printer& out) noexcept;

} // namespace lowtide
