// The ledger: pages of a block and what they are counted as, pools and heaps by name, and the formats.
#include "observe/ledger.h"

#include "observe/formats.h"
#include "os/vm.h"

#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <string>

namespace lowtide::test {
namespace {

class ledgers : public testing::Test {
protected:
    static constexpr size_t room = 40;
    ledgers()
        : memory_(new unsigned char[ledger::bytes_for(room)]{}), book(*new (memory_.get()) ledger(room)) {}

    stretch& add(stretch::kind is, uint8_t slices) {
        stretch& s = picture.stretches[picture.count++];
        s = {};
        s.is = is;
        s.first = next_;
        s.count = slices;
        next_ = static_cast<uint8_t>(next_ + slices);
        return s;
    }
    // Of the slices so far.
    stretch& add_slab(size_class c, uint32_t used) {
        const class_geometry& g = geometry_of(c);
        stretch& s = add(stretch::kind::slab, static_cast<uint8_t>(g.slices));
        s.sc = c;
        s.object_size = g.object_size;
        s.capacity = g.capacity;
        s.free_bits = picture.bitmaps[s.first];
        for (uint32_t i = used; i < g.capacity; ++i)
            s.free_bits[i / 64] |= uint64_t{1} << i % 64;
        return s;
    }
    void make_resident(size_t first_page, size_t count) { resident.set(first_page, count); }
    named_ledger& name(const void* who, const char* text, bool is_pool, size_t block) {
        named_ledger n;
        n.who = who;
        n.is_pool = is_pool;
        n.object_size = block;
        strncpy(n.name, text, sizeof(n.name) - 1);
        EXPECT_TRUE(book.add_named(n));
        return const_cast<named_ledger&>(*(book.end() - 1));
    }
    std::string text(account_format format) {
        std::string to;
        char buffer[64];
        {
            printer out(
                buffer,
                [](void* into, const char* more, size_t size) noexcept {
                    static_cast<std::string*>(into)->append(more, size);
                },
                &to);
            format == account_format::json ? print_json(out, book) : print_openmetrics(out, book);
        }
        return to;
    }

    std::unique_ptr<unsigned char[]> memory_;
    ledger& book;
    block_picture picture{};
    os::page_bits resident{};
    uint8_t next_ = 0;
    const size_t page = os::page_size();
    const size_t pages_a_slice = slice_size / page;
};

TEST_F(ledgers, have_used_and_free_objects_of_a_slab) {
    const size_class c = class_holding(64);
    add_slab(c, 100);
    make_resident(0, pages_a_slice);
    book.add(picture, resident);
    EXPECT_EQ(book.classes[index_of(c)].used.bytes, 6400u);
    EXPECT_EQ(book.classes[index_of(c)].used.resident, 6400u);
    EXPECT_EQ(book.classes[index_of(c)].free.bytes, slice_size - 6400);
    EXPECT_EQ(book.classes[index_of(c)].free.resident, slice_size - 6400);
}

// The last object in use lies on two pages, of which one is there.
TEST_F(ledgers, have_only_those_bytes_of_a_slab_that_are_on_resident_pages) {
    const size_class c = class_holding(640);
    const auto on_first = static_cast<uint32_t>(page / 640 + 1);
    add_slab(c, on_first);
    make_resident(0, 1);
    book.add(picture, resident);
    EXPECT_EQ(book.classes[index_of(c)].used.bytes, on_first * 640u);
    EXPECT_EQ(book.classes[index_of(c)].used.resident, page);
    EXPECT_EQ(book.classes[index_of(c)].free.resident, 0u);
}

TEST_F(ledgers, have_runs_free_slices_and_what_is_between_owners) {
    stretch& run = add(stretch::kind::run, 10);
    run.usable = slice_count{10}.bytes();
    add(stretch::kind::free, 4);
    stretch& parked = add(stretch::kind::run, 2);
    parked.cached = true;
    add(stretch::kind::going, 1);
    make_resident(0, pages_a_slice * 17 - 1);
    book.add(picture, resident);
    EXPECT_EQ(book.classes[0].used.resident, 10 * slice_size);
    EXPECT_EQ(book.of(category::run_free).resident, 4 * slice_size);
    EXPECT_EQ(book.of(category::cached).bytes, 3 * slice_size);
    EXPECT_EQ(book.of(category::cached).resident, 3 * slice_size - page);
}

TEST_F(ledgers, divide_what_is_used_by_what_magazines_have) {
    const size_class c = class_holding(1024);
    add_slab(c, 40);
    make_resident(0, geometry_of(c).slices * pages_a_slice);
    book.add(picture, resident);
    account counters;
    counters.classes[index_of(c)] = {1024, 1, 64, 30, 10};
    book.process = {.all = 10 * mebibyte, .anonymous = 9 * mebibyte, .stack = 20 * kibibyte};
    book.close(counters);
    EXPECT_EQ(book.of(category::live).resident, 30u * 1024);
    EXPECT_EQ(book.of(category::cached).resident, 10u * 1024);
    EXPECT_EQ(book.of(category::files).resident, mebibyte);
    size_t sum = 0;
    for (const portion& p : book.parts)
        sum += p.resident;
    EXPECT_EQ(sum, 10 * mebibyte);
}

TEST_F(ledgers, have_pools_and_heaps_by_name_whatever_their_order) {
    int owners[room]{};
    for (size_t i = 0; i < room; ++i)
        name(&owners[(i * 17 + 5) % room], "some", i % 2 == 0, 4 * page);
    EXPECT_FALSE(book.add_named({}));
    EXPECT_EQ(book.lost_named(), 1u);
    book.sort_named();
    const named_ledger* before = nullptr;
    for (const named_ledger& n : book) {
        EXPECT_TRUE(before == nullptr || before->who < n.who);
        before = &n;
    }
    stretch& pool = add(stretch::kind::pool, 1);
    pool.owner = &owners[5];
    picture.taken.set(0, 4);
    stretch& slab = add_slab(class_holding(128), 10);
    slab.owner = &owners[6];
    stretch& run = add(stretch::kind::run, 3);
    run.owner = &owners[6];
    run.usable = 3 * slice_size;
    make_resident(0, 5 * pages_a_slice);
    book.add(picture, resident);
    for (const named_ledger& n : book) {
        if (n.who == &owners[5]) {
            EXPECT_EQ(n.in_use.resident, 4 * page);
            EXPECT_EQ(n.free.resident, slice_size - 4 * page);
        } else if (n.who == &owners[6]) {
            EXPECT_EQ(n.live, 11u);
            EXPECT_EQ(n.in_use.resident, 1280 + 3 * slice_size);
        } else {
            EXPECT_EQ(n.in_use.bytes + n.free.bytes, 0u);
        }
    }
    EXPECT_EQ(book.of(category::pool_taken).resident, 4 * page);
    EXPECT_EQ(book.of(category::heap_live).resident, 1280 + 3 * slice_size);
}

// One that was made after the list: nobody's name, but the memory is in the sum.
TEST_F(ledgers, count_what_belongs_to_nobody_they_know) {
    int unknown = 0;
    add(stretch::kind::pool, 1).owner = &unknown;
    add_slab(class_holding(128), 10).owner = &unknown;
    make_resident(0, 2 * pages_a_slice);
    book.add(picture, resident);
    EXPECT_EQ(book.of(category::pool_free).resident, slice_size);
    EXPECT_EQ(book.of(category::heap_live).resident, 1280u);
}

TEST_F(ledgers, print_names_that_no_format_minds) {
    int owners[2]{};
    name(&owners[0], "a\"b\\c\n\x01\xff\xc3\xa4\xed\xa0\x80", true, 4 * page);
    name(&owners[1], "", false, 0);
    book.close(account{});
    EXPECT_NE(text(account_format::json).find("{\"name\":\"a\\\"b\\\\c???\xc3\xa4???\",\"block_bytes\""),
              std::string::npos)
        << text(account_format::json);
    EXPECT_NE(text(account_format::openmetrics)
                  .find("{pool=\"a\\\"b\\\\c???\xc3\xa4???\",number=\"1\",state=\"used\"} 0\n"),
              std::string::npos);
}

} // namespace
} // namespace lowtide::test
