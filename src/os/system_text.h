// Texts of /proc and /sys: cut into words, read whole or line by line. No malloc; errno is left alone; what
// is missing, unreadable or not as expected is empty. Nothing of it is needed in most processes: include it
// only where all code is linked apart (lowtide.ld).
#pragma once

#include "base/part.h"
#include "base/units.h"
#include "os/machine.h"
#include "os/syscall.h"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <string_view>

namespace lowtide::os {

// A buffer for a path, and then for what the file has: what is on the stack at once.
inline constexpr size_t buffer_size = 1024;

// Cuts off and returns what comes before the first `separator`: all, if there is none.
[[gnu::cold]] inline std::string_view take(std::string_view& text, char separator) noexcept {
    size_t end = 0;
    while (end < text.size() && text[end] != separator)
        ++end;
    const std::string_view first = part(text, 0, end);
    text = part(text, end < text.size() ? end + 1 : end, text.size());
    return first;
}

inline bool begins_with(std::string_view text, std::string_view beginning) noexcept {
    return text.size() >= beginning.size() && part(text, 0, beginning.size()) == beginning;
}

// A text of limited length. What doesn't fit makes the whole useless, and is remembered.
class bounded_text {
public:
    bounded_text(char* to, size_t size) noexcept : text_(to), size_(size) {}

    void add(char c) noexcept {
        if (length_ == size_)
            complete_ = false;
        else
            text_[length_++] = c;
    }
    void add(std::string_view text) noexcept {
        for (const char c : text)
            add(c);
    }
    // White space and backslashes are \ooo in mountinfo.
    void add_unescaped(std::string_view text) noexcept {
        const auto octal = [text](size_t i) {
            return i < text.size() && text[i] >= '0' && text[i] <= '7' ? text[i] - '0' : -1;
        };
        for (size_t i = 0; i < text.size(); ++i)
            if (text[i] == '\\' && octal(i + 1) >= 0 && octal(i + 2) >= 0 && octal(i + 3) >= 0) {
                add(static_cast<char>(octal(i + 1) * 64 + octal(i + 2) * 8 + octal(i + 3)));
                i += 3;
            } else {
                add(text[i]);
            }
    }
    void drop_trailing_slashes() noexcept {
        while (length_ > 0 && text_[length_ - 1] == '/')
            --length_;
    }

    [[nodiscard]] bool complete() const { return complete_; }
    [[nodiscard]] size_t length() const { return length_; }
    [[nodiscard]] std::string_view view() const { return {text_, length_}; }

private:
    char* text_;
    size_t size_;
    size_t length_ = 0;
    bool complete_ = true;
};

// Puts "folder/name" there, as a C string. False when it's too long.
inline bool make_path(char (&to)[buffer_size], std::string_view folder, std::string_view name) noexcept {
    bounded_text path(to, buffer_size);
    path.add(folder);
    path.add('/');
    path.add(name);
    path.add('\0');
    return path.complete();
}

// Hexadecimal digits, as the kernel writes addresses.
[[gnu::cold]] inline uintptr_t to_address(std::string_view hex) noexcept {
    uintptr_t value = 0;
    for (const char c : hex)
        value = value << 4 | static_cast<uintptr_t>(c <= '9' ? c - '0' : c - 'a' + 10);
    return value;
}

// A number with no sign, and nothing else but white space around it.
struct number {
    bool there = false;
    uint64_t value = 0;
};

constexpr bool is_space(char c) noexcept {
    return c == ' ' || c == '\t' || c == '\n';
}

inline number to_number(std::string_view text) noexcept {
    while (!text.empty() && is_space(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && is_space(text.back()))
        text.remove_suffix(1);
    number result{!text.empty(), 0};
    for (const char c : text)
        if (c < '0' || c > '9' || __builtin_mul_overflow(result.value, 10u, &result.value) ||
            __builtin_add_overflow(result.value, static_cast<unsigned>(c - '0'), &result.value))
            return {};
    return result;
}

// The text of a file of one short line. Its place is the path's, which nobody needs once the file is open.
class short_file {
public:
    short_file(std::string_view folder, std::string_view name) noexcept {
        if (!make_path(buffer_, folder, name))
            return;
        const long read = read_file(buffer_, buffer_, longest);
        length_ = read > 0 && read < long{longest} ? static_cast<size_t>(read) : 0; // longer: no such file
    }
    [[nodiscard]] std::string_view text() const { return {buffer_, length_}; }

private:
    static constexpr size_t longest = 64;
    char buffer_[buffer_size];
    size_t length_ = 0;
};

// Not inlined, as everything that has such a buffer: else a caller has several of them on the stack.
[[gnu::noinline]] inline number number_in(std::string_view folder, std::string_view name) noexcept {
    return to_number(short_file(folder, name).text());
}

// A file, line by line, read in pieces of a buffer. A line that doesn't fit is left out.
class line_reader {
public:
    // No more than `most` bytes of it: nothing here may take long.
    line_reader(const char* path, char* buffer, size_t size, size_t most = mebibyte) noexcept
        : buffer_(buffer), size_(size), most_(most),
          fd_(system_call(SYS_openat, AT_FDCWD, reinterpret_cast<long>(path), O_RDONLY | O_CLOEXEC)) {
        at_end_ = failed(fd_);
    }
    ~line_reader() {
        if (!failed(fd_))
            system_call(SYS_close, fd_);
    }
    line_reader(const line_reader&) = delete;
    line_reader& operator=(const line_reader&) = delete;

    // `line` is valid until the next call. False behind the last.
    bool next(std::string_view& line) noexcept {
        for (;;) {
            std::string_view rest{buffer_ + begin_, end_ - begin_};
            line = take(rest, '\n');
            const bool whole = line.size() < end_ - begin_;
            if (!whole && !at_end_) {
                fill();
                continue;
            }
            if (!whole && line.empty())
                return false;
            begin_ = end_ - rest.size();
            const bool wanted = !too_long_;
            too_long_ = false;
            if (wanted)
                return true;
        }
    }

private:
    void fill() noexcept {
        __builtin_memmove(buffer_, buffer_ + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
        if (end_ == size_) {
            too_long_ = true;
            end_ = 0;
        }
        long got = 0;
        do {
            got = system_call(SYS_read, fd_, reinterpret_cast<long>(buffer_ + end_),
                              static_cast<long>(size_ - end_));
        } while (got == -EINTR);
        at_end_ = failed(got) || got == 0 || (total_ += static_cast<size_t>(got)) > most_;
        if (!failed(got))
            end_ += static_cast<size_t>(got);
    }

    char* buffer_;
    size_t size_;
    size_t most_;
    long fd_;
    size_t begin_ = 0;
    size_t end_ = 0;
    size_t total_ = 0;
    bool at_end_ = false;
    bool too_long_ = false; // the line that is being read
};

} // namespace lowtide::os
