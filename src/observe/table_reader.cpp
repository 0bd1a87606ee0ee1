#include "observe/table_reader.h"

namespace lowtide {

void table_reader::skip(uint64_t bytes) noexcept {
    if (end_ - at_ < bytes)
        return fail();
    at_ += bytes;
}

uint64_t table_reader::read_unsigned() noexcept {
    unsigned shift = 0;
    return read_leb128(shift);
}

int64_t table_reader::read_signed() noexcept {
    unsigned shift = 0;
    uint64_t value = read_leb128(shift);
    if (shift < 64 && (value >> (shift - 1) & 1) != 0)
        value |= ~uint64_t{0} << shift;
    return static_cast<int64_t>(value);
}

uintptr_t table_reader::read_encoded(uint8_t encoding, uintptr_t table) noexcept {
    const uintptr_t from = at_;
    uint64_t value = 0;
    switch (encoding & format_bits) {
    case absolute:
    case unsigned_8:
    case signed_8:
        value = read<uint64_t>();
        break;
    case unsigned_2:
        value = read<uint16_t>();
        break;
    case signed_2:
        value = static_cast<uint64_t>(read<int16_t>());
        break;
    case unsigned_4:
        value = read<uint32_t>();
        break;
    case signed_4:
        value = static_cast<uint64_t>(read<int32_t>());
        break;
    default:
        fail();
    }
    switch (encoding & application_bits) {
    case 0:
        return value;
    case relative_to_here:
        return value + from;
    case relative_to_table:
        return value + table;
    default:
        fail();
        return 0;
    }
}

table_reader table_reader::take(uint64_t bytes) noexcept {
    const uintptr_t from = at_;
    skip(bytes);
    table_reader taken(begin_, at_, failed_ ? at_ : from);
    if (failed_)
        taken.fail();
    return taken;
}

uint64_t table_reader::read_leb128(unsigned& shift) noexcept {
    uint64_t value = 0;
    uint8_t byte = 0;
    do {
        byte = read<uint8_t>();
        if (shift < 64)
            value |= uint64_t{byte & 0x7fu} << shift;
        shift += 7;
    } while ((byte & 0x80) != 0);
    return value;
}

} // namespace lowtide
