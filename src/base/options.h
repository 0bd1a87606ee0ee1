// The options: what they are called, what they may be, and how a text such as LOWTIDE_CONF sets them.
//
// The library and the command share this file, so that `lowtide options` shows what the library would do.
// Owner and lock: an `options` belongs to whoever made it; parsing touches nothing else. Some may be set
// while others read them (`lowtide set`): each is a word of its own. Invariant: neither malloc nor an
// exception is used, and whatever the text is, every field stays in its range.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lowtide {

enum class option_source : std::uint8_t { builtin, file, environment, command };

constexpr std::string_view option_file = "/etc/lowtide.conf";
constexpr std::string_view option_variable = "LOWTIDE_CONF";

/// "default", "/etc/lowtide.conf", "LOWTIDE_CONF" or "lowtide set".
std::string_view name_of(option_source source) noexcept;

/// A text that is longer than this is not read at all: half of it could mean something else.
constexpr std::size_t max_option_text = 8192;

constexpr std::size_t option_count = 18;

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

/// A value that one thread may set while others read it.
template <class T>
class changeable {
public:
    using value_type = T;
    constexpr changeable(T value) noexcept : value_(value) {}
    changeable(const changeable& other) noexcept : value_(other) {}
    changeable& operator=(const changeable& other) noexcept { return *this = T{other}; }
    changeable& operator=(T value) noexcept {
        value_.store(value, std::memory_order_relaxed);
        return *this;
    }
    operator T() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<T> value_;
};

struct options {
    changeable<std::size_t> dirty_cap = std::size_t{40} << 20;
    changeable<std::uint32_t> dirty_share = 8;
    changeable<std::uint32_t> window_ms = 1000;
    changeable<std::int32_t> decay_ms = 1000; // 0: at once, -1: never
    changeable<std::size_t> limit = 0;        // 0: none; so below
    changeable<std::size_t> hard_limit = 0;
    changeable<bool> pressure = true;
    std::size_t cache_bytes = std::size_t{64} << 10;
    changeable<std::size_t> huge_bytes = std::size_t{64} << 20;
    changeable<bool> huge_pages = true;
    background_use background = background_use::automatic;
    bool control = true;
    bool check = false;
    changeable<std::size_t> sample = 0; // 0: no samples
    changeable<std::uint32_t> account_s = 0;
    bool leaks = false;
    std::uint32_t leak_exit = 0; // 0: the program's own
    bool rseq = true;

    /// Who set each field; in the order of option_table.
    std::array<option_source, option_count> sources{};

    /// Reads `key:value` entries, separated by commas or newlines, with comments from # to the end of the
    /// line. The last entry of a key counts. What cannot be used changes nothing and is told to `warn`.
    void parse(std::string_view text, option_source source, option_warning warn) noexcept;
};

enum class option_type : std::uint8_t { size, time_ms, count, boolean, choice };

/// Text in the table itself: as pointers, each would have to be relocated when any program starts.
template <std::size_t N>
struct table_text {
    char characters[N]{};
    constexpr table_text(std::string_view text) {
        for (std::size_t i = 0; i < text.size(); ++i)
            characters[i] = text[i];
        characters[text.size()] = '\0'; // text that is too long doesn't compile
    }
    constexpr operator std::string_view() const noexcept { return characters; }
    constexpr std::string_view view() const noexcept { return characters; }
};

struct option_description {
    table_text<12> key;
    option_type type;
    bool changeable;      // in a running process
    std::uint8_t bytes;   // of the field
    std::uint16_t offset; // in `options`
    std::int64_t min;
    std::int64_t max;
    table_text<88> meaning;
    table_text<20>
        words; // of a choice: what the values from min on are called, in order, with spaces between

    std::int64_t load(const options& o) const noexcept;
    void store(options& o, std::int64_t value) const noexcept;
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
