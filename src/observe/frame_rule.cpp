#include "observe/frame_rule.h"

namespace lowtide {

namespace {

// Bits of the packed word's fields.
constexpr unsigned base_bits = 3;
constexpr unsigned cfa_bits = 24;
constexpr unsigned saved_bits = 8;

class packer {
public:
    void put(uint64_t value, unsigned bits) noexcept {
        word_ |= value << used_;
        used_ += bits;
    }
    void put(place p, unsigned offset_bits) noexcept {
        const int64_t words = p.offset / 8;
        const int64_t limit = int64_t{1} << (offset_bits - 1);
        fits_ = fits_ && p.offset % 8 == 0 && words >= -limit && words < limit;
        put(static_cast<uint64_t>(p.from), base_bits);
        put(static_cast<uint64_t>(words) & ((uint64_t{1} << offset_bits) - 1), offset_bits);
    }
    [[nodiscard]] uint64_t word() const noexcept { return fits_ ? word_ : 0; }

private:
    uint64_t word_ = 0;
    unsigned used_ = 0;
    bool fits_ = true;
};

class unpacker {
public:
    explicit unpacker(uint64_t word) noexcept : word_(word) {}
    uint64_t get(unsigned bits) noexcept {
        const uint64_t value = word_ & ((uint64_t{1} << bits) - 1);
        word_ >>= bits;
        return value;
    }
    place get_place(unsigned offset_bits) noexcept {
        const auto from = static_cast<base>(get(base_bits));
        const uint64_t top = get(offset_bits) << (64 - offset_bits);
        return {from, static_cast<int32_t>(static_cast<int64_t>(top) >> (64 - offset_bits)) * 8};
    }

private:
    uint64_t word_;
};

} // namespace

uint64_t pack(const frame_rule& rule) noexcept {
    packer p;
    p.put(1, 1); // so that it isn't 0
    p.put(rule.cfa_in_memory ? 1 : 0, 1);
    p.put(rule.signal ? 1 : 0, 1);
    p.put(rule.cfa, cfa_bits);
    p.put(rule.pc, saved_bits);
    p.put(rule.fp, saved_bits);
    p.put(rule.bx, saved_bits);
    return p.word();
}

frame_rule unpack(uint64_t packed) noexcept {
    unpacker u(packed >> 1);
    frame_rule rule;
    rule.cfa_in_memory = u.get(1) != 0;
    rule.signal = u.get(1) != 0;
    rule.cfa = u.get_place(cfa_bits);
    rule.pc = u.get_place(saved_bits);
    rule.fp = u.get_place(saved_bits);
    rule.bx = u.get_place(saved_bits);
    return rule;
}

} // namespace lowtide
