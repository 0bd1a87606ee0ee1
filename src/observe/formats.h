// The ledger in the formats that other programs read; lowtide-stat(1) describes them.
#pragma once

#include "base/print.h"

#include <cstdint>

namespace lowtide {

class ledger;

enum class account_result : uint8_t {
    ok,
    no_memory,
    unknown, // the system doesn't say what is in memory
};
enum class account_format : uint8_t { json, openmetrics };

// `lowtide_account` is the version of what it says.
[[gnu::cold]] void print_json(printer& out, const ledger& l) noexcept;
// OpenMetrics 1.0 text.
[[gnu::cold]] void print_openmetrics(printer& out, const ledger& l) noexcept;

} // namespace lowtide
