// Reading the unwinding tables: numbers and pointers in DWARF's ways of writing them.
#pragma once

#include <cstdint>
#include <cstring>

namespace lowtide {

// How pointers are written (LSB 5.0, table 10.5).
enum encoding : uint8_t {
    absolute = 0x00,
    unsigned_2 = 0x02,
    unsigned_4 = 0x03,
    unsigned_8 = 0x04,
    signed_2 = 0x0a,
    signed_4 = 0x0b,
    signed_8 = 0x0c,
    format_bits = 0x0f,
    relative_to_here = 0x10,
    relative_to_table = 0x30,
    application_bits = 0x70,
};

// Reads forward, and never outside of [begin, end). What isn't there reads as 0, and from then on everything
// does.
class table_reader {
public:
    table_reader(uintptr_t begin, uintptr_t end, uintptr_t from) noexcept
        : begin_(begin), end_(end), at_(from) {
        if (from < begin || from > end)
            fail();
    }

    [[nodiscard]] uintptr_t here() const noexcept { return at_; }
    [[nodiscard]] bool failed() const noexcept { return failed_; }
    [[nodiscard]] bool has_more() const noexcept { return !failed_ && at_ < end_; }
    void fail() noexcept {
        failed_ = true;
        at_ = end_;
    }

    template <typename T>
    T read() noexcept {
        T value{};
        if (end_ - at_ < sizeof(T)) {
            fail();
            return value;
        }
        memcpy(&value, reinterpret_cast<const void*>(at_), sizeof(T));
        at_ += sizeof(T);
        return value;
    }

    void skip(uint64_t bytes) noexcept;

    // LEB128 (DWARF 5, 7.6); what is above 64 bits is lost.
    uint64_t read_unsigned() noexcept;
    int64_t read_signed() noexcept;

    // One of encodings `encoding`, where relative_to_table counts from `table`.
    uintptr_t read_encoded(uint8_t encoding, uintptr_t table) noexcept;

    // The next `bytes` for themselves; this one goes on behind them.
    table_reader take(uint64_t bytes) noexcept;

private:
    uint64_t read_leb128(unsigned& shift) noexcept;

    uintptr_t begin_;
    uintptr_t end_;
    uintptr_t at_;
    bool failed_ = false;
};

} // namespace lowtide
