// Formatted print for the places where neither malloc nor stdio may be called.
//
// The placeholders are a subset of std::format's:
//   {}            text, a character, a bool, an integer in decimal, a pointer in hexadecimal (0x…),
//                 byte_count{n} as "1.5 MiB"
//   {:8} {:<8} {:>8}  padded to 8 columns; of their own accord numbers keep right and text keeps left
//   {:x}          an integer in hexadecimal (also after a width: {:>8x})
//   {{ }}         the braces themselves
//
// Owner and lock: a printer belongs to the code that made it; nothing here is shared.
// Invariant: nothing is called but the sink, and errno is the same after every call: safe in a signal
// handler, before main and inside malloc.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace lowtide {

/// A number of bytes, printed with the unit that suits a reader: "640 B", "64 KiB", "1.9 GiB".
/// The decimal is there exactly where something was cut off.
struct byte_count {
    std::uint64_t count;
};

/// One argument with its type erased, so that formatting is one function and not a template.
class print_argument {
public:
    enum class kind : std::uint8_t { text, letter, boolean, negatable, number, pointer, byte_count };

    constexpr print_argument(std::string_view text) noexcept
        : text_(text.data()), number_(text.size()), kind_(kind::text) {}
    constexpr print_argument(const char* text) noexcept : print_argument(std::string_view(text)) {}
    constexpr print_argument(char c) noexcept : number_(static_cast<unsigned char>(c)), kind_(kind::letter) {}
    constexpr print_argument(bool b) noexcept : number_(b), kind_(kind::boolean) {}
    constexpr print_argument(byte_count b) noexcept : number_(b.count), kind_(kind::byte_count) {}
    print_argument(const void* p) noexcept
        : number_(reinterpret_cast<std::uintptr_t>(p)), kind_(kind::pointer) {}

    template <std::integral T>
    constexpr print_argument(T n) noexcept
        : number_(static_cast<std::uint64_t>(n)),
          kind_(std::is_signed_v<T> ? kind::negatable : kind::number) {}

    constexpr kind type() const noexcept { return kind_; }
    constexpr std::uint64_t number() const noexcept { return number_; }
    constexpr std::string_view text() const noexcept { return {text_, static_cast<std::size_t>(number_)}; }

private:
    const char* text_ = nullptr;
    std::uint64_t number_ = 0; // the size, where the argument is text
    kind kind_;
};

/// The format, checked when it is compiled: as many placeholders as arguments, and each well formed.
template <class... Arguments>
class print_format {
public:
    template <class Text>
    requires std::convertible_to<const Text&, std::string_view>
    consteval print_format(const Text& text) : text_(text) {
        if (placeholders(text_) != sizeof...(Arguments))
            a_format_needs_one_placeholder_for_each_argument();
    }
    constexpr std::string_view text() const noexcept { return text_; }

private:
    // Not constexpr: reaching one of these calls is the compiler's error message.
    static void a_format_needs_one_placeholder_for_each_argument() {}
    static void a_format_has_a_malformed_placeholder() {}

    static consteval std::size_t placeholders(std::string_view text) {
        std::size_t count = 0;
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] != '{' && text[i] != '}')
                continue;
            if (i + 1 < text.size() && text[i + 1] == text[i]) {
                ++i;
                continue;
            }
            i = end_of_placeholder(text, i);
            ++count;
        }
        return count;
    }

    static consteval std::size_t end_of_placeholder(std::string_view text, std::size_t i) {
        const auto is = [&](char c) { return i < text.size() && text[i] == c; };
        if (!is('{'))
            a_format_has_a_malformed_placeholder();
        ++i;
        if (is(':')) {
            ++i;
            if (is('<') || is('>'))
                ++i;
            while (i < text.size() && text[i] >= '0' && text[i] <= '9')
                ++i;
            if (is('x'))
                ++i;
        }
        if (!is('}'))
            a_format_has_a_malformed_placeholder();
        return i;
    }

    std::string_view text_;
};

/// Formats into a buffer of the caller's. With a sink, the buffer is handed over whenever it is full and by
/// flush() and the destructor; without one, what does not fit is cut off and truncated() says so.
class printer {
public:
    using sink = void (*)(void* context, const char* text, std::size_t size) noexcept;

    template <std::size_t N>
    explicit printer(char (&buffer)[N], sink out = nullptr, void* context = nullptr) noexcept
        : printer(buffer, N, out, context) {}
    printer(char* buffer, std::size_t capacity, sink out = nullptr, void* context = nullptr) noexcept
        : buffer_(buffer), capacity_(capacity), out_(out), context_(context) {}

    ~printer() { flush(); }
    printer(const printer&) = delete;
    printer& operator=(const printer&) = delete;

    template <class... Arguments>
    printer& print(print_format<std::type_identity_t<Arguments>...> format,
                   const Arguments&... arguments) noexcept {
        const print_argument list[] = {print_argument(arguments)..., print_argument(false)}; // never empty
        format_all(format.text(), list);
        return *this;
    }

    /// Text that isn't ours, a program's name for something: control characters, which could play with a
    /// terminal or a reader of lines, are question marks.
    printer& print_plain(std::string_view text) noexcept;

    void flush() noexcept;

    /// What is in the buffer; it ends with no NUL.
    std::string_view text() const noexcept { return {buffer_, size_}; }
    bool truncated() const noexcept { return truncated_; }

private:
    struct layout;

    void format_all(std::string_view format, const print_argument* next) noexcept;
    void format_one(layout how, const print_argument& argument) noexcept;
    void put_padded(layout how, bool right_by_default, std::string_view text) noexcept;
    void put(std::string_view text) noexcept;
    void put(char c) noexcept;

    char* buffer_;
    std::size_t capacity_;
    std::size_t size_ = 0;
    bool truncated_ = false;
    sink out_;
    void* context_;
};

} // namespace lowtide
