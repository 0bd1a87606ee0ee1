// A heap profile in memory: what was allocated where, as every reader gives it and every writer takes it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lowtide::tools {

/// A file may have any numbers in it: what doesn't fit wraps.
constexpr std::int64_t sum(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
constexpr std::int64_t difference(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
constexpr std::uint64_t magnitude(std::int64_t a) {
    return a < 0 ? 0 - static_cast<std::uint64_t>(a) : static_cast<std::uint64_t>(a);
}

/// What is counted of the objects of one stack, all of it estimated from samples.
enum class quantity : std::size_t {
    in_use_objects,
    in_use_bytes,
    allocated_objects,
    allocated_bytes,
    peak_objects,
    peak_bytes,
    pinned_bytes,
};
constexpr std::size_t quantity_count = 7;

struct quantity_description {
    std::string_view key; // in JSON
    std::string_view pprof_type;
    std::string_view unit;
    std::string_view meaning;
};
/// In the order of `quantity`.
constexpr std::array<quantity_description, quantity_count> quantities = {{
    {"in_use_objects", "inuse_objects", "count", "objects in use"},
    {"in_use_bytes", "inuse_space", "bytes", "in use"},
    {"allocated_objects", "alloc_objects", "count", "objects allocated"},
    {"allocated_bytes", "alloc_space", "bytes", "allocated"},
    {"peak_objects", "peak_objects", "count", "objects in use at the peak"},
    {"peak_bytes", "peak_space", "bytes", "in use at the peak"},
    {"pinned_bytes", "pinned_space", "bytes", "kept from going back"},
}};
constexpr const quantity_description& description_of(quantity q) {
    return quantities[static_cast<std::size_t>(q)];
}

struct amounts {
    std::array<std::int64_t, quantity_count> of{};
    std::int64_t samples = 0;     // of objects now in use; 0 where a format has no room for it
    std::int64_t lifetime_ns = 0; // mean of those that were freed; 0 if there were none

    std::int64_t operator[](quantity q) const { return of[static_cast<std::size_t>(q)]; }
    std::int64_t freed_objects() const;
    amounts& operator+=(const amounts& other);
};
/// Of the quantities alone.
amounts operator-(const amounts& after, const amounts& before);

/// Hexadecimal digits, in lower case, of whole bytes.
bool is_build_id(std::string_view text);

/// Part of an executable file in the process's memory.
struct mapping {
    std::uint64_t start = 0;
    std::uint64_t end = 0; // exclusive
    std::uint64_t offset = 0;
    std::string build_id; // hexadecimal; empty if there is none
    std::string path;

    std::string module_name() const;
};

/// A function, as a place in it stands for it in a stack.
struct frame {
    std::string function; // as a person writes it
    std::string symbol{}; // as the linker knows it
    std::string file{};   // of the source; empty if that isn't known
    std::int64_t line = 0;

    auto operator<=>(const frame&) const = default;
};

/// A place in the program from which a function was called.
struct location {
    std::uint64_t return_address = 0; // 0 where nothing is known but the frames
    std::vector<frame> frames{};      // several where functions were inlined, the innermost first

    std::uint64_t call_address() const { return return_address - 1; }
};

struct site {
    std::vector<std::size_t> stack; // indices into `locations`, the innermost first
    amounts amount;
};

/// In a report of leaks: how the objects were lost whose figures are those in use.
struct lost_objects {
    std::int64_t direct_objects = 0; // nobody has their address
    std::int64_t direct_bytes = 0;
    std::int64_t indirect_objects = 0; // only others that have leaked do
    std::int64_t indirect_bytes = 0;
};

struct heap_profile {
    std::string program;
    std::int64_t pid = 0;
    std::int64_t began_ns = 0; // Unix time
    std::int64_t taken_ns = 0;
    std::int64_t rate = 0; // mean distance of samples in bytes
    std::vector<mapping> mappings;
    std::vector<location> locations;
    std::vector<site> sites;
    std::optional<lost_objects> leaks; // none: it is no report of leaks

    amounts total() const;
    std::int64_t duration_ns() const { return difference(taken_ns, began_ns); }
    /// The mapping that a call lies in; null if it isn't known.
    const mapping* mapping_of(const location& at) const;
    /// `module+0xoffset`, where no symbol is known.
    std::string address_name(const location& at) const;
};

} // namespace lowtide::tools
