// Rules: what the tables of a program say, and what they may say when they are damaged.
#include "observe/call_frame.h"

#include "observe/frame_expression.h"

#include <algorithm>
#include <cstring>
#include <gtest/gtest.h>
#include <initializer_list>
#include <link.h>
#include <random>
#include <sys/mman.h>
#include <vector>

namespace lowtide::test {
namespace {

term evaluated(std::vector<uint8_t> code, uintptr_t pc = 0x1000) {
    const auto begin = reinterpret_cast<uintptr_t>(code.data());
    return evaluate(table_reader(begin, begin + code.size(), begin), pc);
}

TEST(frame_expression, a_register_and_a_distance_in_memory_or_not) {
    const term distance = evaluated({0x77, 0x08}); // breg7 8
    EXPECT_EQ(distance.from, base::sp);
    EXPECT_EQ(distance.offset, 8);
    EXPECT_FALSE(distance.in_memory);
    const term loaded = evaluated({0x76, 0x78, 0x06}); // breg6 -8, deref
    EXPECT_EQ(loaded.from, base::fp);
    EXPECT_EQ(loaded.offset, -8);
    EXPECT_TRUE(loaded.in_memory);
}

TEST(frame_expression, a_linkage_tables_entry_depends_on_the_instruction) {
    // breg7 8, breg16 0, lit15, and, lit11, ge, lit3, shl, plus
    const std::vector<uint8_t> code{0x77, 0x08, 0x80, 0x00, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22};
    EXPECT_EQ(evaluated(code, 0x100a).offset, 8);
    EXPECT_EQ(evaluated(code, 0x100b).offset, 16);
}

TEST(frame_expression, what_is_no_rule_is_unknown) {
    const std::initializer_list<std::vector<uint8_t>> beyond = {
        {},                             // nothing
        {0x22},                         // plus of nothing
        {0x77},                         // its operand is missing
        {0x78, 0x00},                   // a register that isn't followed
        {0x77, 0x08, 0x06, 0x06},       // two accesses
        {0x77, 0x08, 0x76, 0x08, 0x22}, // the sum of two registers
        {0x2f, 0x00, 0x00},             // a jump
        std::vector<uint8_t>(20, 0x31)  // too many numbers
    };
    for (const auto& code : beyond)
        EXPECT_EQ(evaluated(code).from, base::unknown);
}

TEST(frame_rule, a_packed_rule_is_the_same_afterwards) {
    const base bases[] = {base::kept, base::undefined, base::unknown, base::cfa,
                          base::sp,   base::fp,        base::bx};
    for (const base from : bases)
        for (const int32_t offset : {-1024, -8, 0, 8, 1016}) {
            frame_rule rule;
            rule.cfa = {base::fp, offset * 65536};
            rule.cfa_in_memory = offset == 8;
            rule.signal = offset == 0;
            rule.pc = {from, -8};
            rule.fp = {from, offset};
            rule.bx = {base::bx, offset};
            const uint64_t packed = pack(rule);
            ASSERT_NE(packed, 0u);
            EXPECT_EQ(unpack(packed), rule);
        }
}

TEST(frame_rule, a_rule_that_has_no_room_is_not_packed) {
    frame_rule rule;
    rule.fp = {base::cfa, 1024};
    EXPECT_EQ(pack(rule), 0u);
    rule.fp = {base::cfa, -12};
    EXPECT_EQ(pack(rule), 0u);
    rule.fp = {base::cfa, -16};
    EXPECT_NE(pack(rule), 0u);
    rule.cfa = {base::sp, 1 << 26};
    EXPECT_EQ(pack(rule), 0u);
}

// The tables of this program, as one piece of memory that ends where nothing can be read.
class tables_of_program {
public:
    tables_of_program() {
        dl_iterate_phdr(
            [](dl_phdr_info* info, size_t, void* to) {
                static_cast<tables_of_program*>(to)->find(*info);
                return 1; // the program comes first
            },
            this);
        const size_t page = 65536;
        const size_t room = (original_.end - original_.begin + page - 1) & ~(page - 1);
        mapping_bytes_ = room + 2 * page;
        mapping_ =
            static_cast<char*>(mmap(nullptr, mapping_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        mprotect(mapping_ + page, room, PROT_READ | PROT_WRITE);
        bytes_ = mapping_ + page + room - size();
        copy_.end = reinterpret_cast<uintptr_t>(bytes_) + size();
        copy_.begin = copy_.end - size();
        copy_.eh_frame_hdr = copy_.begin + (original_.eh_frame_hdr - original_.begin);
        restore();
    }
    ~tables_of_program() { munmap(mapping_, mapping_bytes_); }
    tables_of_program(const tables_of_program&) = delete;
    tables_of_program& operator=(const tables_of_program&) = delete;

    void restore() { memcpy(bytes_, reinterpret_cast<const void*>(original_.begin), size()); }
    [[nodiscard]] size_t size() const { return original_.end - original_.begin; }
    [[nodiscard]] char* bytes() const { return bytes_; }
    [[nodiscard]] const os::loaded_object& original() const { return original_; }
    [[nodiscard]] const os::loaded_object& copy() const { return copy_; }

    // Where the functions begin, in the original; in the copy as far from the tables.
    [[nodiscard]] std::vector<uintptr_t> functions() const {
        std::vector<uintptr_t> all;
        const auto* words = reinterpret_cast<const int32_t*>(original_.eh_frame_hdr);
        for (int32_t i = 0; i < words[2]; ++i)
            all.push_back(original_.eh_frame_hdr + static_cast<uintptr_t>(int64_t{words[3 + 2 * i]}));
        return all;
    }
    [[nodiscard]] uintptr_t in_copy(uintptr_t pc) const {
        return pc - original_.eh_frame_hdr + copy_.eh_frame_hdr;
    }

private:
    void find(const dl_phdr_info& info) {
        for (int i = 0; i < info.dlpi_phnum; ++i)
            if (info.dlpi_phdr[i].p_type == PT_GNU_EH_FRAME)
                original_.begin = original_.eh_frame_hdr = info.dlpi_addr + info.dlpi_phdr[i].p_vaddr;
        for (int i = 0; i < info.dlpi_phnum; ++i) {
            const uintptr_t begin = info.dlpi_addr + info.dlpi_phdr[i].p_vaddr;
            const uintptr_t end = begin + info.dlpi_phdr[i].p_memsz;
            if (info.dlpi_phdr[i].p_type == PT_LOAD && original_.begin >= begin && original_.begin < end)
                original_.end = end;
        }
    }

    os::loaded_object original_;
    os::loaded_object copy_;
    char* mapping_ = nullptr;
    size_t mapping_bytes_ = 0;
    char* bytes_ = nullptr;
};

class frame_tables : public testing::Test {
protected:
    void SetUp() override {
        if (tables_.original().eh_frame_hdr == 0)
            GTEST_SKIP();
#if !defined(__x86_64__)
        GTEST_SKIP() << "only x86-64 has rules";
#endif
    }
    tables_of_program tables_;
};

TEST_F(frame_tables, each_function_begins_with_its_return_address_on_the_stack) {
    const frame_rule at_entry{.cfa = {base::sp, 8},
                              .cfa_in_memory = false,
                              .signal = false,
                              .pc = {base::cfa, -8},
                              .fp = {base::kept},
                              .bx = {base::kept}};
    unsigned like_that = 0;
    const std::vector<uintptr_t> functions = tables_.functions();
    ASSERT_GT(functions.size(), 100u);
    for (const uintptr_t pc : functions) {
        frame_rule rule;
        ASSERT_TRUE(find_frame_rule(tables_.original(), pc, rule));
        like_that += rule == at_entry ? 1 : 0;
        frame_rule copied;
        ASSERT_TRUE(find_frame_rule(tables_.copy(), tables_.in_copy(pc), copied));
        EXPECT_EQ(copied, rule);
    }
    // But for the parts of functions that were moved away, linkage tables and _start.
    EXPECT_GT(like_that, functions.size() / 2);
}

TEST_F(frame_tables, where_there_is_no_function_there_is_no_rule) {
    frame_rule rule;
    const std::vector<uintptr_t> functions = tables_.functions();
    EXPECT_FALSE(find_frame_rule(tables_.original(), functions.front() - 1, rule));
    EXPECT_FALSE(find_frame_rule(tables_.original(), tables_.original().end, rule));
    os::loaded_object without = tables_.original();
    without.eh_frame_hdr = 0;
    EXPECT_FALSE(find_frame_rule(without, functions.front(), rule));
    EXPECT_FALSE(find_frame_rule({}, functions.front(), rule));
}

TEST_F(frame_tables, another_object_has_another_fingerprint) {
    os::loaded_object other = tables_.original();
    EXPECT_EQ(fingerprint(other), fingerprint(tables_.original()));
    other.link_map += 64;
    EXPECT_NE(fingerprint(other), fingerprint(tables_.original()));
    const uint64_t before = fingerprint(tables_.copy());
    auto* const words = reinterpret_cast<int32_t*>(tables_.bytes());
    words[3 + words[2] / 2 * 2] += 16; // the function in the middle
    EXPECT_NE(fingerprint(tables_.copy()), before);
}

TEST_F(frame_tables, damaged_ones_are_never_read_outside) {
    std::mt19937_64 random(20261201);
    const std::vector<uintptr_t> functions = tables_.functions();
    for (int round = 0; round < 300; ++round) {
        const size_t damage = 1 + random() % 2000;
        for (size_t i = 0; i < damage; ++i)
            tables_.bytes()[random() % tables_.size()] = static_cast<char>(random());
        // The index's first words too, or nothing of it would be looked at any more.
        if (round % 4 != 0)
            memcpy(tables_.bytes(), reinterpret_cast<const void*>(tables_.original().begin), 12);
        for (int i = 0; i < 300; ++i) {
            const uintptr_t pc = functions[random() % functions.size()] + random() % 64;
            frame_rule rule;
            (void)!find_frame_rule(tables_.copy(), tables_.in_copy(pc), rule);
            (void)unpack(pack(rule));
        }
        (void)fingerprint(tables_.copy());
        tables_.restore();
    }
}

TEST_F(frame_tables, cut_off_ones_are_never_read_outside) {
    std::mt19937_64 random(1);
    const std::vector<uintptr_t> functions = tables_.functions();
    for (int round = 0; round < 3000; ++round) {
        os::loaded_object part = tables_.copy();
        // The end of the copy is the beginning of what can't be read: cut at the front what is moved to
        // there.
        const size_t length = random() % (round % 2 == 0 ? 200 : tables_.size());
        part.begin = part.end - length;
        memmove(reinterpret_cast<void*>(part.begin), reinterpret_cast<const void*>(tables_.original().begin),
                length);
        part.eh_frame_hdr = part.begin;
        const uintptr_t pc =
            functions[random() % functions.size()] - tables_.original().eh_frame_hdr + part.begin;
        frame_rule rule;
        (void)!find_frame_rule(part, pc, rule);
        (void)fingerprint(part);
    }
}

} // namespace
} // namespace lowtide::test
