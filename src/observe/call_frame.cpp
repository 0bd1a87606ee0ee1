#include "observe/call_frame.h"

#include "base/hash.h"
#include "observe/frame_expression.h"
#include "observe/table_reader.h"

#include <initializer_list>

namespace lowtide {

namespace {

// A common information entry: what the entries of several functions share.
struct common_entry {
    uint64_t code_alignment = 0;
    int64_t data_alignment = 0;
    uint8_t pointers = absolute;
    bool augmented = false;
    bool signal = false;
    table_reader program{0, 0, 0};
};

// The content of the entry at `from`, behind its length. Failed where there is none, or a 64-bit one.
table_reader entry_at(const os::loaded_object& in, uintptr_t from) noexcept {
    table_reader whole(in.begin, in.end, from);
    const auto length = whole.read<uint32_t>();
    if (length == 0 || length == UINT32_MAX)
        whole.fail();
    return whole.take(length);
}

// The letters of the augmentation say what its data are, in their order.
bool read_augmentation(table_reader letters, table_reader data, common_entry& entry) noexcept {
    while (letters.has_more()) {
        switch (letters.read<char>()) {
        case 'R':
            entry.pointers = data.read<uint8_t>();
            break;
        case 'P': { // whose value doesn't matter
            const auto encoding = data.read<uint8_t>();
            data.read_encoded(encoding & format_bits, 0);
            break;
        }
        case 'L':
            data.skip(1);
            break;
        case 'S':
            entry.signal = true;
            break;
        default:
            return false;
        }
    }
    return !data.failed();
}

bool read_common(const os::loaded_object& in, uintptr_t from, common_entry& entry) noexcept {
    table_reader r = entry_at(in, from);
    const auto id = r.read<uint32_t>();
    const auto version = r.read<uint8_t>();
    if (id != 0 || (version != 1 && version != 3))
        return false;
    table_reader rest = r;
    uint64_t letters = 0;
    while (rest.has_more() && rest.read<char>() != 0)
        ++letters;
    table_reader augmentation = r.take(letters);
    r.skip(1);
    entry.code_alignment = r.read_unsigned();
    entry.data_alignment = r.read_signed();
    const uint64_t return_register = version == 1 ? r.read<uint8_t>() : r.read_unsigned();
    if (r.failed() || return_register != dwarf_return_address)
        return false;
    if (letters != 0) {
        if (augmentation.read<char>() != 'z')
            return false;
        entry.augmented = true;
        table_reader data = r.take(r.read_unsigned());
        if (!read_augmentation(augmentation, data, entry))
            return false;
    }
    entry.program = r;
    return !r.failed();
}

// Runs the programs of an entry. The rows of the table that they describe are those of ascending
// instructions.
class row_machine {
public:
    row_machine(const common_entry& common, uintptr_t begin, uintptr_t pc) noexcept
        : common_(common), location_(begin), pc_(pc) {}

    bool run(table_reader own) noexcept {
        if (!run_program(common_.program))
            return false;
        initial_ = row_;
        return run_program(own);
    }

    [[nodiscard]] const frame_rule& row() const noexcept { return row_; }

private:
    static constexpr unsigned most_remembered = 8;
    // The first three have their operand in the lower six bits.
    enum instruction : uint8_t {
        advance_loc = 0x40,
        offset = 0x80,
        restore = 0xc0,
        operand_bits = 0x3f,
        nop = 0x00,
        set_loc = 0x01,
        advance_loc1 = 0x02,
        advance_loc2 = 0x03,
        advance_loc4 = 0x04,
        offset_extended = 0x05,
        restore_extended = 0x06,
        undefined = 0x07,
        same_value = 0x08,
        in_register = 0x09,
        remember_state = 0x0a,
        restore_state = 0x0b,
        def_cfa = 0x0c,
        def_cfa_register = 0x0d,
        def_cfa_offset = 0x0e,
        def_cfa_expression = 0x0f,
        at_expression = 0x10,
        offset_extended_sf = 0x11,
        def_cfa_sf = 0x12,
        def_cfa_offset_sf = 0x13,
        val_offset = 0x14,
        val_offset_sf = 0x15,
        val_expression = 0x16,
        gnu_args_size = 0x2e,
        gnu_negative_offset_extended = 0x2f,
    };

    // Up to the row that the instruction is in, or the end.
    bool run_program(table_reader code) noexcept {
        while (code.has_more() && location_ <= pc_)
            if (!execute(code))
                return false;
        return !code.failed();
    }

    bool execute(table_reader& code) noexcept {
        const auto byte = code.read<uint8_t>();
        const uint8_t operand = byte & operand_bits;
        switch (byte & ~operand_bits) {
        case advance_loc:
            advance(operand);
            return true;
        case offset:
            save(operand, factored(code.read_unsigned()));
            return true;
        case restore:
            put(operand, initial(operand));
            return true;
        default:
            return execute_extended(byte, code);
        }
    }

    bool execute_extended(uint8_t byte, table_reader& code) noexcept {
        uint64_t reg = 0;
        switch (byte) {
        case nop:
            return true;
        case set_loc:
            location_ = code.read_encoded(common_.pointers, 0);
            return true;
        case advance_loc1:
            advance(code.read<uint8_t>());
            return true;
        case advance_loc2:
            advance(code.read<uint16_t>());
            return true;
        case advance_loc4:
            advance(code.read<uint32_t>());
            return true;
        case offset_extended:
            reg = code.read_unsigned();
            save(reg, factored(code.read_unsigned()));
            return true;
        case offset_extended_sf:
            reg = code.read_unsigned();
            save(reg, factored(static_cast<uint64_t>(code.read_signed())));
            return true;
        case gnu_negative_offset_extended:
            reg = code.read_unsigned();
            save(reg, -factored(code.read_unsigned()));
            return true;
        case restore_extended:
            reg = code.read_unsigned();
            put(reg, initial(reg));
            return true;
        case undefined:
            put(code.read_unsigned(), {base::undefined});
            return true;
        case same_value:
            put(code.read_unsigned(), {base::kept});
            return true;
        case in_register:
        case val_offset:
            put(code.read_unsigned(), {base::unknown});
            code.read_unsigned();
            return true;
        case val_offset_sf:
            put(code.read_unsigned(), {base::unknown});
            code.read_signed();
            return true;
        case val_expression:
            put(code.read_unsigned(), {base::unknown});
            code.skip(code.read_unsigned());
            return true;
        case at_expression:
            reg = code.read_unsigned();
            put(reg, evaluate_place(code.take(code.read_unsigned())));
            return true;
        case remember_state:
            if (remembered_ == most_remembered)
                return false;
            states_[remembered_++] = row_;
            return true;
        case restore_state:
            if (remembered_ == 0)
                return false;
            row_ = states_[--remembered_];
            return true;
        case gnu_args_size:
            code.read_unsigned();
            return true;
        default:
            return define_cfa(byte, code);
        }
    }

    bool define_cfa(uint8_t byte, table_reader& code) noexcept {
        place& cfa = row_.cfa;
        const bool was_in_memory = row_.cfa_in_memory;
        row_.cfa_in_memory = false;
        switch (byte) {
        case def_cfa:
            cfa.from = base_of(code.read_unsigned());
            cfa = at(cfa.from, static_cast<int64_t>(code.read_unsigned()));
            return true;
        case def_cfa_sf:
            cfa.from = base_of(code.read_unsigned());
            cfa = at(cfa.from, factored(static_cast<uint64_t>(code.read_signed())));
            return true;
        case def_cfa_register:
            cfa.from = base_of(code.read_unsigned());
            return !was_in_memory;
        case def_cfa_offset:
            cfa = at(cfa.from, static_cast<int64_t>(code.read_unsigned()));
            return !was_in_memory;
        case def_cfa_offset_sf:
            cfa = at(cfa.from, factored(static_cast<uint64_t>(code.read_signed())));
            return !was_in_memory;
        case def_cfa_expression: {
            const term t = evaluate(code.take(code.read_unsigned()), pc_);
            cfa = t.from == base::kept ? place{base::unknown} : at(t.from, t.offset);
            row_.cfa_in_memory = t.in_memory;
            return true;
        }
        default:
            return false;
        }
    }

    // Where an expression says that a register is; it begins with the canonical frame address on its stack.
    place evaluate_place(table_reader code) const noexcept {
        const term t = evaluate(code, pc_, {base::cfa, false, 0});
        return t.in_memory || t.from == base::kept ? place{base::unknown} : at(t.from, t.offset);
    }

    int64_t factored(uint64_t n) const noexcept {
        return static_cast<int64_t>(n * static_cast<uint64_t>(common_.data_alignment));
    }
    void advance(uint64_t units) noexcept { location_ += units * common_.code_alignment; }
    void save(uint64_t reg, int64_t distance) noexcept { put(reg, at(base::cfa, distance)); }
    void put(uint64_t reg, place p) noexcept {
        if (place* const of = tracked(row_, reg))
            *of = p;
    }
    place initial(uint64_t reg) noexcept {
        const place* const of = tracked(initial_, reg);
        return of != nullptr ? *of : place{};
    }
    static place* tracked(frame_rule& row, uint64_t reg) noexcept {
        return reg == dwarf_return_address ? &row.pc
               : reg == dwarf_rbp          ? &row.fp
               : reg == dwarf_rbx          ? &row.bx
                                           : nullptr;
    }

    const common_entry& common_;
    uintptr_t location_;
    uintptr_t pc_;
    frame_rule row_;
    frame_rule initial_;
    frame_rule states_[most_remembered];
    unsigned remembered_ = 0;
};

// The index: the functions in the order of their addresses, as distances from the index's beginning.
class function_index {
public:
    struct entry {
        int32_t function;
        int32_t description;
    };

    explicit function_index(const os::loaded_object& in) noexcept : in_(in) {
        table_reader r(in.begin, in.end, in.eh_frame_hdr);
        const auto version = r.read<uint8_t>();
        const auto tables = r.read<uint8_t>();
        const auto count_encoding = r.read<uint8_t>();
        const auto entry_encoding = r.read<uint8_t>();
        // What every linker writes.
        if (version != 1 || count_encoding != unsigned_4 || entry_encoding != (relative_to_table | signed_4))
            return;
        r.read_encoded(tables, in.eh_frame_hdr);
        const auto count = r.read<uint32_t>();
        if (r.failed() || (in.end - r.here()) / sizeof(entry) < count)
            return;
        first_ = r.here();
        count_ = count;
    }

    [[nodiscard]] uint32_t count() const noexcept { return count_; }
    [[nodiscard]] entry nth(uint32_t n) const noexcept {
        return table_reader(in_.begin, in_.end, first_ + n * sizeof(entry)).read<entry>();
    }

private:
    const os::loaded_object& in_;
    uintptr_t first_ = 0;
    uint32_t count_ = 0;
};

// The entry of the function that begins last at or before `pc`, by the index; 0 where there is none.
uintptr_t look_up(const os::loaded_object& in, uintptr_t pc) noexcept {
    const function_index index(in);
    const auto distance = static_cast<int64_t>(pc - in.eh_frame_hdr);
    uint32_t low = 0;
    uint32_t high = index.count(); // the first whose function begins behind pc
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (index.nth(middle).function <= distance)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? 0 : in.eh_frame_hdr + static_cast<uintptr_t>(int64_t{index.nth(low - 1).description});
}

} // namespace

bool find_frame_rule(const os::loaded_object& in, uintptr_t pc, frame_rule& rule) noexcept {
    const uintptr_t found = in.eh_frame_hdr == 0 ? 0 : look_up(in, pc);
    if (found == 0)
        return false;
    table_reader own = entry_at(in, found);
    const uintptr_t id_at = own.here();
    const auto distance = own.read<uint32_t>(); // back to the common entry; 0: this is one
    common_entry common;
    if (own.failed() || distance == 0 || !read_common(in, id_at - distance, common))
        return false;
    const uintptr_t begin = own.read_encoded(common.pointers, in.eh_frame_hdr);
    const uintptr_t bytes = own.read_encoded(common.pointers & format_bits, 0);
    if (common.augmented)
        own.skip(own.read_unsigned());
    if (own.failed() || pc - begin >= bytes)
        return false;
    row_machine machine(common, begin, pc);
    if (!machine.run(own))
        return false;
    rule = machine.row();
    rule.signal = common.signal;
    return true;
}

uint64_t fingerprint(const os::loaded_object& of) noexcept {
    const function_index index(of);
    uint64_t hash = of.begin;
    const auto add = [&hash](uint64_t word) { hash = hash_with(hash, word); };
    add(of.end);
    add(of.eh_frame_hdr);
    add(of.link_map);
    add(os::build_id(of));
    add(index.count());
    for (const uint32_t n : {index.count() / 2, index.count() - 1})
        if (index.count() != 0) {
            const function_index::entry e = index.nth(n);
            add(uint64_t{static_cast<uint32_t>(e.function)} << 32 | static_cast<uint32_t>(e.description));
        }
    return hash;
}

} // namespace lowtide
