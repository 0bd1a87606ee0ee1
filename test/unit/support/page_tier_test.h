// A page tier on fake pages, and what tests of it do again and again.
#pragma once

#include "pages/page_tier.h"
#include "support/fake_pages.h"
#include "support/zeroed.h"

#include <gtest/gtest.h>

namespace lowtide::test {

class page_tier_test : public testing::Test {
protected:
    // A run that is there; its first byte.
    uintptr_t take(uint32_t slices, size_t alignment = slice_size) {
        const page_run run = pages.allocate({slices}, alignment);
        EXPECT_NE(run.base, 0u) << slices << " slices";
        return run.base;
    }
    void give(uintptr_t base, uint32_t slices) { EXPECT_TRUE(pages.deallocate(base, {slices})); }

    // The first blocks of a process never get huge pages: for tests of those they are taken away.
    static constexpr unsigned first_blocks = 2;
    void take_first_blocks() { take(first_blocks * slices_per_block); }
    // Others that the kernel has been told to give none.
    size_t plain_blocks() const { return fake.plain_blocks() - first_blocks; }

    // Writes to each slice, at both ends.
    static void stamp(uintptr_t base, uint32_t slices, uint64_t mark) {
        for (uint32_t i = 0; i < slices; ++i)
            first_word(base, i) = last_word(base, i) = mark;
    }
    static bool is_stamped(uintptr_t base, uint32_t slices, uint64_t mark) {
        for (uint32_t i = 0; i < slices; ++i)
            if (first_word(base, i) != mark || last_word(base, i) != mark)
                return false;
        return true;
    }

    // The counters as the fake pages see them.
    void expect_true_counters(size_t used_slices) {
        const page_counts c = pages.counts();
        EXPECT_EQ(c.used_bytes, used_slices * slice_size);
        EXPECT_EQ(c.committed_bytes, fake.committed_bytes());
        EXPECT_EQ(c.reserved_bytes, fake.reserved_bytes());
        EXPECT_LE(c.used_bytes + c.dirty_bytes, c.committed_bytes);
    }

    fake_pages fake;
    zeroed<page_map> map;
    options settings;
    metadata records{fake.source()};
    ceiling limits;
    page_tier pages{fake.source(), map.get(), &records, &settings, &limits};

private:
    static uint64_t& first_word(uintptr_t base, uint32_t slice) {
        return *reinterpret_cast<uint64_t*>(base + slice * slice_size);
    }
    static uint64_t& last_word(uintptr_t base, uint32_t slice) {
        return *reinterpret_cast<uint64_t*>(base + (slice + 1) * slice_size - sizeof(uint64_t));
    }
};

} // namespace lowtide::test
