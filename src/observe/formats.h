// The ledger in the formats that other programs read; docs/account.md describes them.
#pragma once

#include "base/print.h"

#include <cstdint>

namespace lowtide {

namespace os {
class resident_pages;
}
class ledger;
struct block_picture;

enum class account_result : uint8_t {
    ok,
    no_memory,
    unknown, // the system doesn't say what is in memory
};
enum class account_format : uint8_t { json, openmetrics };

// docs/account.schema.json; `lowtide_account` is its version.
[[gnu::cold]] void print_json(printer& out, const ledger& l) noexcept;
// OpenMetrics 1.0 text.
[[gnu::cold]] void print_openmetrics(printer& out, const ledger& l) noexcept;

} // namespace lowtide
