#include "observe/frame_expression.h"

namespace lowtide {

namespace {

constexpr term beyond_us{base::unknown};

class expression {
public:
    explicit expression(uintptr_t pc) noexcept : pc_(pc) {}

    void push(term t) noexcept {
        if (depth_ == most_terms)
            bad_ = true;
        else
            terms_[depth_++] = t;
    }

    // The operations that linkers and libc use in call frame information (DWARF 5, 7.7.1).
    term evaluate(table_reader code) noexcept {
        while (code.has_more() && !bad_) {
            const uint8_t op = code.read<uint8_t>();
            if (op >= lit0 && op < lit0 + 32)
                push_number(op - lit0);
            else if (op >= breg0 && op < breg0 + 32)
                push_register(op - breg0, code.read_signed());
            else
                operate(op, code);
        }
        return bad_ || code.failed() || depth_ == 0 ? beyond_us : terms_[depth_ - 1];
    }

private:
    static constexpr unsigned most_terms = 8;
    enum operation : uint8_t {
        deref = 0x06,
        const1u = 0x08,
        const1s = 0x09,
        const2u = 0x0a,
        const2s = 0x0b,
        const4u = 0x0c,
        const4s = 0x0d,
        constu = 0x10,
        consts = 0x11,
        bitwise_and = 0x1a,
        minus = 0x1c,
        plus = 0x22,
        plus_uconst = 0x23,
        shl = 0x24,
        ge = 0x2a,
        lit0 = 0x30,
        breg0 = 0x70,
    };

    void push_number(int64_t number) noexcept { push({base::kept, false, number}); }
    void push_register(uint64_t reg, int64_t offset) noexcept {
        if (reg == dwarf_return_address) {
            term counter{base::kept, false, static_cast<int64_t>(pc_)};
            counter.add(offset);
            return push(counter);
        }
        bad_ = bad_ || base_of(reg) == base::unknown;
        push({base_of(reg), false, offset});
    }
    term pop() noexcept {
        if (depth_ == 0) {
            bad_ = true;
            return beyond_us;
        }
        return terms_[--depth_];
    }

    void operate(uint8_t op, table_reader& code) noexcept {
        switch (op) {
        case const1u:
            return push_number(code.read<uint8_t>());
        case const1s:
            return push_number(code.read<int8_t>());
        case const2u:
            return push_number(code.read<uint16_t>());
        case const2s:
            return push_number(code.read<int16_t>());
        case const4u:
            return push_number(code.read<uint32_t>());
        case const4s:
            return push_number(code.read<int32_t>());
        case constu:
            return push_number(static_cast<int64_t>(code.read_unsigned()));
        case consts:
            return push_number(code.read_signed());
        case deref:
            return load();
        case plus_uconst:
            push_number(static_cast<int64_t>(code.read_unsigned()));
            return combine(plus);
        default:
            return combine(op);
        }
    }

    // One access to memory is enough for what is in use.
    void load() noexcept {
        term t = pop();
        bad_ = bad_ || t.in_memory || t.is_number();
        t.in_memory = true;
        push(t);
    }

    void combine(uint8_t op) noexcept {
        const term right = pop();
        term left = pop();
        if (!right.is_number() || left.in_memory || (!left.is_number() && op != plus && op != minus)) {
            bad_ = true;
            return;
        }
        switch (op) {
        case plus:
            left.add(right.offset);
            break;
        case minus:
            left.add(static_cast<int64_t>(-static_cast<uint64_t>(right.offset)));
            break;
        case bitwise_and:
            left.offset &= right.offset;
            break;
        case shl:
            left.offset = static_cast<int64_t>(static_cast<uint64_t>(left.offset) << (right.offset & 63));
            break;
        case ge:
            left.offset = left.offset >= right.offset ? 1 : 0;
            break;
        default:
            bad_ = true;
        }
        push(left);
    }

    uintptr_t pc_;
    term terms_[most_terms];
    unsigned depth_ = 0;
    bool bad_ = false;
};

} // namespace

term evaluate(table_reader code, uintptr_t pc) noexcept {
    return expression(pc).evaluate(code);
}

term evaluate(table_reader code, uintptr_t pc, term first) noexcept {
    expression e(pc);
    e.push(first);
    return e.evaluate(code);
}

} // namespace lowtide
