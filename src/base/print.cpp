// Formatted print without malloc: see print.h. The format was checked when it was compiled, so that reading
// it here needs no error paths.
#include "base/print.h"

#include <cerrno>

namespace lowtide {

namespace {

// The longest is a pointer or a 64-bit number with its sign: 20 characters.
class digits {
public:
    static digits in_base(std::uint64_t n, unsigned base) noexcept {
        digits d;
        do {
            d.prepend("0123456789abcdef"[n % base]);
            n /= base;
        } while (n != 0);
        return d;
    }

    void prepend(char c) noexcept { text_[--begin_] = c; }
    void prepend(std::string_view text) noexcept {
        for (std::size_t i = text.size(); i != 0; --i)
            prepend(text[i - 1]);
    }
    std::string_view text() const noexcept { return {text_ + begin_, sizeof text_ - begin_}; }

private:
    char text_[24];
    std::size_t begin_ = sizeof text_;
};

digits signed_decimal(std::int64_t n) noexcept {
    const auto magnitude = static_cast<std::uint64_t>(n);
    digits d = digits::in_base(n < 0 ? 0 - magnitude : magnitude, 10);
    if (n < 0)
        d.prepend('-');
    return d;
}

digits hexadecimal(std::uint64_t n) noexcept {
    digits d = digits::in_base(n, 16);
    d.prepend("0x");
    return d;
}

// One decimal, cut off and not rounded: 1023.9 KiB stays below 1 MiB.
digits readable_bytes(std::uint64_t count) noexcept {
    constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    unsigned unit = 0;
    std::uint64_t tenths = 0;
    bool exact = true;
    for (; count >= 1024; count /= 1024) {
        exact &= count % 1024 == 0;
        tenths = count % 1024 * 10 / 1024;
        ++unit;
    }
    digits d;
    d.prepend(units[unit]);
    d.prepend(" ");
    if (!exact) {
        d.prepend(digits::in_base(tenths, 10).text());
        d.prepend(".");
    }
    d.prepend(digits::in_base(count, 10).text());
    return d;
}

} // namespace

struct printer::layout {
    enum class side : std::uint8_t { by_type, left, right };
    side align = side::by_type;
    bool hex = false;
    std::size_t width = 0;
};

void printer::flush() noexcept {
    if (out_ == nullptr || size_ == 0)
        return;
    const int saved = errno;
    out_(context_, buffer_, size_);
    errno = saved;
    size_ = 0;
}

void printer::put(char c) noexcept {
    if (size_ == capacity_)
        flush();
    if (size_ < capacity_)
        buffer_[size_++] = c;
    else
        truncated_ = true;
}

void printer::put(std::string_view text) noexcept {
    for (const char c : text)
        put(c);
}

printer& printer::print_plain(std::string_view text) noexcept {
    for (const char c : text)
        put(static_cast<unsigned char>(c) < ' ' || c == 0x7f ? '?' : c);
    return *this;
}

void printer::put_padded(layout how, bool right_by_default, std::string_view text) noexcept {
    const bool right =
        how.align == layout::side::by_type ? right_by_default : how.align == layout::side::right;
    const std::size_t padding = how.width > text.size() ? how.width - text.size() : 0;
    for (std::size_t i = 0; right && i < padding; ++i)
        put(' ');
    put(text);
    for (std::size_t i = 0; !right && i < padding; ++i)
        put(' ');
}

void printer::format_one(layout how, const print_argument& argument) noexcept {
    const std::uint64_t n = argument.number();
    switch (argument.type()) {
    case print_argument::kind::text:
        return put_padded(how, false, argument.text());
    case print_argument::kind::letter: {
        const char c = static_cast<char>(n);
        return put_padded(how, false, {&c, 1});
    }
    case print_argument::kind::boolean:
        return put_padded(how, false, n != 0 ? "true" : "false");
    case print_argument::kind::negatable:
        if (!how.hex)
            return put_padded(how, true, signed_decimal(static_cast<std::int64_t>(n)).text());
        [[fallthrough]];
    case print_argument::kind::number:
        return put_padded(how, true, digits::in_base(n, how.hex ? 16 : 10).text());
    case print_argument::kind::pointer:
        return put_padded(how, true, hexadecimal(n).text());
    case print_argument::kind::byte_count:
        return put_padded(how, true, readable_bytes(n).text());
    }
}

void printer::format_all(std::string_view format, const print_argument* next) noexcept {
    for (std::size_t i = 0; i < format.size(); ++i) {
        if (format[i] != '{' && format[i] != '}') {
            put(format[i]);
            continue;
        }
        ++i; // now at the second brace of a pair, or inside a placeholder
        if (format[i] == format[i - 1]) {
            put(format[i]);
            continue;
        }
        layout how;
        for (; format[i] != '}'; ++i) {
            if (format[i] == '<')
                how.align = layout::side::left;
            else if (format[i] == '>')
                how.align = layout::side::right;
            else if (format[i] == 'x')
                how.hex = true;
            else if (format[i] != ':')
                how.width = how.width * 10 + static_cast<std::size_t>(format[i] - '0');
        }
        format_one(how, *next++);
    }
}

} // namespace lowtide
