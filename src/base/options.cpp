// The options' table and their parser: see options.h.
#include "base/options.h"

#include "base/part.h"
#include "base/print.h"

#include <algorithm>
#include <cstddef>

namespace lowtide {

namespace {

constexpr std::int64_t kib = 1024;
constexpr std::int64_t mib = 1024 * kib;
constexpr std::int64_t tib = 1024 * (1024 * mib);
constexpr std::int64_t an_hour_ms = 3'600'000;

template <class T>
constexpr bool is_changeable = false;
template <class T>
constexpr bool is_changeable<changeable<T>> = true;

struct field_place {
    bool changeable;
    std::uint8_t bytes;
    std::uint16_t offset;
};
#define FIELD(name)                                                                                          \
    field_place {                                                                                            \
        is_changeable<decltype(options::name)>, sizeof(options::name), offsetof(options, name)               \
    }

constexpr option_description row(std::string_view key, field_place field, option_type type, std::int64_t min,
                                 std::int64_t max, std::string_view meaning, std::string_view words = {}) {
    return {key, type, field.changeable, field.bytes, field.offset, min, max, meaning, words};
}

// The word of that number, from 0; empty behind the last.
constexpr std::string_view word_at(std::string_view words, std::int64_t number) noexcept {
    std::size_t begin = 0;
    for (;; --number) {
        const std::size_t end = std::min(words.find(' ', begin), words.size());
        if (number == 0 || end == words.size())
            return number == 0 ? part(words, begin, end) : std::string_view{};
        begin = end + 1;
    }
}

} // namespace

constexpr std::array<option_description, option_count> option_table = {
    row("dirty_cap", FIELD(dirty_cap), option_type::size, 0, 16 * tib,
        "freed memory that may always wait for its next use before it goes back"),
    row("dirty_share", FIELD(dirty_share), option_type::count, 1, 1000,
        "freed memory may also wait up to 1/N of the memory in use, if that is more"),
    row("window", FIELD(window_ms), option_type::time_ms, 0, an_hour_ms,
        "memory that was needed within this time counts as about to be needed again"),
    row("decay", FIELD(decay_ms), option_type::time_ms, -1, an_hour_ms,
        "freed memory below the cap goes back after this time; 0 at once, -1 never"),
    row("limit", FIELD(limit), option_type::size, 0, 16 * tib,
        "where more than this would be held, all that is free goes back first; 0 for none"),
    row("hard_limit", FIELD(hard_limit), option_type::size, 0, 16 * tib,
        "where more than this would be held, there is no memory; 0 for none"),
    row("pressure", FIELD(pressure), option_type::boolean, 0, 1,
        "near a control group's limit, or when memory is scarce, what is free goes back"),
    row("cache", FIELD(cache_bytes), option_type::size, 0, mib,
        "size of one magazine of a size class on one CPU; 0 for no magazines"),
    row("huge", FIELD(huge_bytes), option_type::size, 4 * mib, 16 * tib,
        "blocks from this size have a mapping of their own"),
    row("huge_pages", FIELD(huge_pages), option_type::boolean, 0, 1,
        "huge pages for blocks of small objects while the process grows fast"),
    row("background", FIELD(background), option_type::choice, 0, 2,
        "memory is returned by a thread of Lowtide's own: auto in processes with threads",
        "never auto always"),
    row("control", FIELD(control), option_type::boolean, 0, 1,
        "`lowtide trim`, set, stat, top and profile are heard, from the same user"),
    row("check", FIELD(check), option_type::boolean, 0, 1,
        "every free is checked at once, and the magazines are bypassed"),
    row("sample", FIELD(sample), option_type::size, 0, tib,
        "one allocation is recorded for the heap profile every so many bytes; 0 for none"),
    row("account", FIELD(account_s), option_type::count, 0, 86'400,
        "what is resident is written to /run/lowtide/PID.prom every so many seconds; 0 never"),
    row("leaks", FIELD(leaks), option_type::boolean, 0, 1,
        "at exit, what was sampled and nobody can reach any more is reported (sample:1: all)"),
    row("leak_exit", FIELD(leak_exit), option_type::count, 0, 255,
        "with leaks: the process ends with this code where any was found; 0 for its own"),
    row("rseq", FIELD(rseq), option_type::boolean, 0, 1,
        "restartable sequences where the kernel has them; false for locked caches"),
};

#undef FIELD

// A field is a word that may be read and written alone, as `changeable` does it.
namespace {
template <class T>
std::int64_t load_as(const unsigned char* field) noexcept {
    return __atomic_load_n(reinterpret_cast<const T*>(field), __ATOMIC_RELAXED);
}
template <class T>
void store_as(unsigned char* field, std::int64_t value) noexcept {
    __atomic_store_n(reinterpret_cast<T*>(field), static_cast<T>(value), __ATOMIC_RELAXED);
}
} // namespace

std::int64_t option_description::load(const options& o) const noexcept {
    const auto* field = reinterpret_cast<const unsigned char*>(&o) + offset;
    return bytes == 1   ? load_as<std::uint8_t>(field)
           : bytes == 4 ? load_as<std::int32_t>(field)
                        : load_as<std::int64_t>(field);
}

void option_description::store(options& o, std::int64_t value) const noexcept {
    auto* field = reinterpret_cast<unsigned char*>(&o) + offset;
    if (bytes == 1)
        store_as<std::uint8_t>(field, value);
    else if (bytes == 4)
        store_as<std::int32_t>(field, value);
    else
        store_as<std::int64_t>(field, value);
}

std::string_view name_of(option_source source) noexcept {
    switch (source) {
    case option_source::file:
        return option_file;
    case option_source::environment:
        return option_variable;
    case option_source::command:
        return "lowtide set";
    case option_source::builtin:
        break;
    }
    return "default";
}

option_text::option_text(option_type type, std::int64_t value, std::string_view words) noexcept {
    printer out(text_);
    if (type == option_type::choice) {
        out.print("{}", word_at(words, value));
    } else if (type == option_type::boolean) {
        out.print("{}", value != 0);
    } else if (type != option_type::size || value == 0) {
        out.print("{}", value);
    } else {
        constexpr std::string_view units[] = {"", "K", "M", "G", "T"};
        std::size_t unit = 0;
        for (; unit < 4 && value % 1024 == 0; ++unit)
            value /= 1024;
        out.print("{}{}", value, units[unit]);
    }
    size_ = out.text().size();
}

namespace {

constexpr bool is_space(char c) noexcept {
    return c == ' ' || c == '\t' || c == '\r';
}

std::string_view trimmed(std::string_view text) noexcept {
    std::size_t begin = 0;
    std::size_t end = text.size();
    while (begin < end && is_space(text[begin]))
        ++begin;
    while (begin < end && is_space(text[end - 1]))
        --end;
    return part(text, begin, end);
}

constexpr char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_word(std::string_view a, std::string_view b) noexcept {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return lower(x) == lower(y); });
}

// What is quoted in a warning: short, and without characters that could play with the terminal.
class quoted {
public:
    explicit quoted(std::string_view text) noexcept {
        for (; size_ < text.size() && size_ < max; ++size_)
            text_[size_] = text[size_] >= ' ' && text[size_] <= '~' ? text[size_] : '?';
        if (text.size() > max)
            for (int dots = 0; dots < 3; ++dots)
                text_[size_++] = '.';
    }
    std::string_view view() const noexcept { return {text_, size_}; }

private:
    static constexpr std::size_t max = 48;
    char text_[max + 3];
    std::size_t size_ = 0;
};

enum class flaw : std::uint8_t { none, not_a_value, out_of_range };

struct value {
    std::int64_t number = 0;
    flaw problem = flaw::none;
};

value parse_boolean(std::string_view text) noexcept {
    for (const std::string_view word : {"true", "1", "yes", "on"})
        if (same_word(text, word))
            return {.number = 1};
    for (const std::string_view word : {"false", "0", "no", "off"})
        if (same_word(text, word))
            return {.number = 0};
    return {.problem = flaw::not_a_value};
}

/// Takes a size's suffix away and returns what it stands for.
std::int64_t take_unit(std::string_view& text) noexcept {
    constexpr std::string_view units = "kmgt";
    if (text.empty())
        return 1;
    const std::size_t unit = units.find(lower(text.back()));
    if (unit == std::string_view::npos)
        return 1;
    text.remove_suffix(1);
    return std::int64_t{1} << (10 * (unit + 1));
}

value parse_number(const option_description& option, std::string_view text) noexcept {
    const std::int64_t unit = option.type == option_type::size ? take_unit(text) : 1;
    const bool negative = !text.empty() && text.front() == '-';
    if (negative)
        text.remove_prefix(1);
    if (text.empty())
        return {.problem = flaw::not_a_value};
    value result;
    bool overflow = false;
    for (const char c : text) {
        if (c < '0' || c > '9')
            return {.problem = flaw::not_a_value};
        overflow |= __builtin_mul_overflow(result.number, std::int64_t{10}, &result.number);
        overflow |= __builtin_add_overflow(result.number, std::int64_t{c - '0'}, &result.number);
    }
    overflow |= __builtin_mul_overflow(result.number, negative ? -unit : unit, &result.number);
    if (overflow || result.number < option.min || result.number > option.max)
        result.problem = flaw::out_of_range;
    return result;
}

value parse_choice(const option_description& option, std::string_view text) noexcept {
    for (std::int64_t i = 0; i <= option.max; ++i)
        if (same_word(text, word_at(option.words, i)))
            return {.number = i};
    return {.problem = flaw::not_a_value};
}

value parse_value(const option_description& option, std::string_view text) noexcept {
    switch (option.type) {
    case option_type::boolean:
        return parse_boolean(text);
    case option_type::choice:
        return parse_choice(option, text);
    case option_type::size:
    case option_type::time_ms:
    case option_type::count:
        break;
    }
    return parse_number(option, text);
}

constexpr std::size_t longest_key = [] {
    std::size_t longest = 0;
    for (const option_description& option : option_table)
        longest = std::max(longest, option.key.view().size());
    return longest;
}();

/// Levenshtein's distance, one row of the table at a time.
std::size_t edit_distance(std::string_view a, std::string_view key) noexcept {
    std::array<std::size_t, longest_key + 1> row;
    for (std::size_t j = 0; j <= key.size(); ++j)
        row[j] = j;
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < key.size(); ++j) {
            const std::size_t above = row[j + 1];
            const std::size_t changed = diagonal + (lower(a[i]) != key[j]);
            row[j + 1] = std::min({changed, above + 1, row[j] + 1});
            diagonal = above;
        }
    }
    return row[key.size()];
}

/// The name that was probably meant; none where more than half of the word would have to change.
std::string_view nearest_key(std::string_view unknown) noexcept {
    std::string_view nearest;
    std::size_t least = ~std::size_t{0};
    for (const option_description& option : option_table) {
        const std::size_t distance = edit_distance(unknown, option.key);
        if (distance < least && distance * 2 <= std::max(unknown.size(), option.key.view().size())) {
            least = distance;
            nearest = option.key;
        }
    }
    return nearest;
}

std::string_view kind_of_value(option_type type) noexcept {
    switch (type) {
    case option_type::size:
        return "a size in bytes, such as 64K";
    case option_type::time_ms:
        return "a time in ms";
    case option_type::count:
        return "a number";
    case option_type::choice:
        return "one of";
    case option_type::boolean:
        break;
    }
    return "true or false";
}

/// One text being read into one set of options.
class reading {
public:
    reading(options& into, option_source source, option_warning warn) noexcept
        : into_(into), source_(source), warn_(warn) {}

    void line(std::string_view text) noexcept {
        text = part(text, 0, std::min(text.find('#'), text.size()));
        while (!text.empty()) {
            const std::size_t end = std::min(text.find(','), text.size());
            entry(trimmed(part(text, 0, end)));
            text = part(text, std::min(end + 1, text.size()), text.size());
        }
    }

    template <class... Arguments>
    void warn(print_format<std::type_identity_t<Arguments>...> format,
              const Arguments&... arguments) const noexcept {
        char line[256];
        printer out(line);
        out.print(format, arguments...);
        warn_.call(warn_.context, out.text());
    }

private:
    void entry(std::string_view text) noexcept {
        if (text.empty())
            return;
        const std::size_t colon = text.find(':');
        if (colon == std::string_view::npos)
            return warn("lowtide: '{}' in {} is not of the form key:value", quoted(text).view(),
                        name_of(source_));
        const std::string_view key = trimmed(part(text, 0, colon));
        for (std::size_t i = 0; i < option_count; ++i)
            if (option_table[i].key.view() == key)
                return set(i, trimmed(part(text, colon + 1, text.size())));
        const std::string_view nearest = nearest_key(key);
        if (nearest.empty())
            return warn("lowtide: unknown option '{}' ('lowtide options' lists them)", quoted(key).view());
        warn("lowtide: unknown option '{}' (did you mean '{}'?)", quoted(key).view(), nearest);
    }

    void set(std::size_t index, std::string_view text) noexcept {
        const option_description& option = option_table[index];
        if (source_ == option_source::command && !option.changeable)
            return warn("lowtide: option '{}' can't be changed in a running process", option.key.view());
        const value parsed = parse_value(option, text);
        if (parsed.problem != flaw::none)
            return reject(index, text, parsed.problem);
        option.store(into_, parsed.number);
        into_.sources[index] = source_;
        if (seen_[index])
            warn("lowtide: option '{}' is given more than once in {}; the last one counts, {}",
                 option.key.view(), name_of(source_), option_text(option.type, parsed.number).view());
        seen_[index] = true;
    }

    void reject(std::size_t index, std::string_view text, flaw problem) const noexcept {
        const option_description& option = option_table[index];
        char range[64] = "";
        printer range_text(range);
        if (option.type == option_type::choice)
            range_text.print(" {}", option.words.view());
        else if (option.type != option_type::boolean)
            range_text.print(" (range {} to {})", option_text(option, option.min).view(),
                             option_text(option, option.max).view());
        warn("lowtide: option '{}': '{}' is {}{}{}; using {} {}", option.key.view(), quoted(text).view(),
             problem == flaw::out_of_range ? "out of range" : "not ",
             problem == flaw::out_of_range ? "" : kind_of_value(option.type), range_text.text(),
             into_.sources[index] == option_source::builtin ? "default" : "the value before,",
             option_text(option, option.load(into_)).view());
    }

    options& into_;
    option_source source_;
    option_warning warn_;
    std::array<bool, option_count> seen_{};
};

} // namespace

void options::parse(std::string_view text, option_source source, option_warning warn) noexcept {
    reading read(*this, source, warn);
    if (text.size() > max_option_text)
        return read.warn("lowtide: {} is longer than {} bytes and is ignored", name_of(source),
                         max_option_text);
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        read.line(part(text, 0, end));
        text = part(text, std::min(end + 1, text.size()), text.size());
    }
}

} // namespace lowtide
