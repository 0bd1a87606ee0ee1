// The options: what they are called, what they may be, and how a text such as LOWTIDE_CONF sets them.
//
// The library and the command share this file, so that `lowtide options` shows what the library would do.
// Owner and lock: an `options` belongs to whoever made it; parsing touches nothing else.
// Invariant: neither malloc nor an exception is used, and whatever the text is, every field stays in its
// range.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lowtide {

enum class option_source : std::uint8_t { builtin, file, environment };

constexpr std::string_view option_file = "/etc/lowtide.conf";
constexpr std::string_view option_variable = "LOWTIDE_CONF";

/// "default", "/etc/lowtide.conf" or "LOWTIDE_CONF".
std::string_view name_of(option_source source) noexcept;

/// A text that is longer than this is not read at all: half of it could mean something else.
constexpr std::size_t max_option_text = 8192;

constexpr std::size_t option_count = 10;

/// Where a warning goes: one line without its newline.
struct option_warning {
    void (*call)(void* context, std::string_view line) noexcept;
    void* context;
};

/// When memory is returned by a thread of the library's own.
enum class background_use : std::uint8_t {
    never,
    automatic, // in processes that have threads
    always,
};

struct options {
    std::size_t dirty_cap = std::size_t{40} << 20;
    std::uint32_t dirty_share = 8;
    std::uint32_t window_ms = 1000;
    std::int32_t decay_ms = 1000; // 0: at once, -1: never
    std::size_t cache_bytes = std::size_t{64} << 10;
    std::size_t huge_bytes = std::size_t{64} << 20;
    bool huge_pages = true;
    background_use background = background_use::automatic;
    bool check = false;
    bool rseq = true;

    /// Who set each field; in the order of option_table.
    std::array<option_source, option_count> sources{};

    /// Reads `key:value` entries, separated by commas or newlines, with comments from # to the end of the
    /// line. The last entry of a key counts. What cannot be used changes nothing and is told to `warn`.
    void parse(std::string_view text, option_source source, option_warning warn) noexcept;
};

enum class option_type : std::uint8_t { size, time_ms, count, boolean, choice };

struct option_description {
    std::string_view key;
    option_type type;
    std::int64_t min;
    std::int64_t max;
    std::string_view meaning;
    std::int64_t (*load)(const options&) noexcept;
    void (*store)(options&, std::int64_t) noexcept;
    std::string_view
        words; // of a choice: what the values from min on are called, in order, with spaces between
};

extern const std::array<option_description, option_count> option_table;

/// A value as one would write it in LOWTIDE_CONF: "64K", "true", "-1", "never".
class option_text {
public:
    option_text(option_type type, std::int64_t value, std::string_view words = {}) noexcept;
    option_text(const option_description& option, std::int64_t value) noexcept
        : option_text(option.type, value, option.words) {}
    std::string_view view() const noexcept { return {text_, size_}; }

private:
    char text_[24];
    std::size_t size_;
};

} // namespace lowtide
