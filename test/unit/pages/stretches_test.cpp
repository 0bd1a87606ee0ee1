// Stretches that go from block to block: what is found is what slice after slice would find.
#include "pages/stretches.h"

#include <gtest/gtest.h>
#include <new>
#include <random>
#include <vector>

namespace lowtide::test {
namespace {

struct stretch {
    uint64_t first; // slice of the region
    uint32_t length;
    bool operator==(const stretch&) const = default;
};

constexpr uint32_t all = ~uint32_t{0};
constexpr stretch_of kinds[] = {stretch_of::dirty, stretch_of::free, stretch_of::space};

// A region with its blocks and groups, as the page tier makes one.
class region_of {
public:
    explicit region_of(uint32_t blocks)
        : storage_(sizeof(region) + blocks * sizeof(block)), groups_(blocks / block_group::size + 1) {
        region_ = new (storage_.data()) region{nullptr, place, blocks, groups_.data(), {}};
        for (uint32_t i = 0; i < blocks; ++i) {
            block* b = new (&region_->blocks[i]) block;
            b->base = place + i * block_size;
            b->home = region_;
            set(i, block_state::reserved, 0, 0);
        }
    }

    [[nodiscard]] uint32_t size() const { return region_->block_count; }
    [[nodiscard]] block& at(uint32_t i) const { return region_->blocks[i]; }

    void note(uint32_t i) { groups_[i / block_group::size].note(i % block_group::size, at(i)); }
    void set(uint32_t i, block_state state, uint32_t free, uint32_t dirty) {
        at(i).state = state;
        at(i).free = free;
        at(i).dirty = dirty;
        note(i);
    }

    // At most so many.
    [[nodiscard]] std::vector<stretch> found(stretch_of kind, uint32_t wanted, size_t most = SIZE_MAX) const {
        std::vector<stretch> result;
        const bool stopped = for_each_stretch(*region_, kind, wanted, [&](uintptr_t base, uint32_t length) {
            result.push_back({(base - place) / slice_size, length});
            return result.size() == most;
        });
        EXPECT_EQ(stopped, result.size() == most);
        return result;
    }

    [[nodiscard]] std::vector<stretch> expected(stretch_of kind, uint32_t wanted,
                                                size_t most = SIZE_MAX) const {
        std::vector<stretch> result;
        uint32_t length = 0;
        for (uint64_t i = 0; i <= uint64_t{size()} * slices_per_block && result.size() < most; ++i) {
            const bool is = i < uint64_t{size()} * slices_per_block &&
                            (mask(kind, i / slices_per_block) >> (i % slices_per_block) & 1) != 0;
            if (!is && length >= wanted)
                result.push_back({i - length, length});
            length = is ? length + 1 : 0;
        }
        return result;
    }

private:
    static constexpr uintptr_t place = uintptr_t{0x1234} << 32;

    [[nodiscard]] uint32_t mask(stretch_of kind, uint64_t i) const {
        const block& b = region_->blocks[i];
        const bool to_be_had = b.state == block_state::reserved || b.state == block_state::released;
        if (kind == stretch_of::dirty)
            return b.dirty;
        return kind == stretch_of::space && to_be_had ? all : b.free;
    }

    std::vector<uint64_t> storage_;
    std::vector<block_group> groups_;
    region* region_;
};

class stretches : public testing::TestWithParam<uint32_t> {
protected:
    unsigned below(unsigned n) { return static_cast<unsigned>(random() % n); }

    // All, none, or free at one end or both: what long stretches are made of.
    uint32_t any_mask() {
        switch (below(6)) {
        case 0:
            return 0;
        case 1:
            return all << below(32);
        case 2:
            return all >> below(32);
        case 3:
            return static_cast<uint32_t>(random()) | 1 | uint32_t{1} << 31;
        default:
            return all;
        }
    }

    void change(region_of& r) {
        const uint32_t i = below(r.size());
        if (below(4) == 0) {
            const block_state uncommitted[] = {block_state::reserved, block_state::released,
                                               block_state::lost};
            r.set(i, uncommitted[below(3)], 0, 0);
            return;
        }
        const uint32_t free = any_mask();
        r.set(i, block_state::committed, free, below(2) == 0 ? free : free & any_mask());
    }

    std::mt19937_64 random{GetParam()};
};

TEST_P(stretches, are_found_as_slice_after_slice_would_find_them) {
    region_of r(GetParam());
    for (int round = 0; round < 3000; ++round) {
        for (unsigned changes = below(5); changes != 0; --changes)
            change(r);
        const stretch_of kind = kinds[below(3)];
        const uint32_t wanted = slices_per_block + 1 + below(below(2) == 0 ? 40 : 3000);
        const size_t most = below(3) == 0 ? 1 + below(3) : SIZE_MAX;
        ASSERT_EQ(r.found(kind, wanted, most), r.expected(kind, wanted, most))
            << "round " << round << ", kind " << unsigned(kind) << ", wanted " << wanted;
    }
}

// Fewer than a group has, just as many, one more, and several groups.
INSTANTIATE_TEST_SUITE_P(regions_of, stretches, testing::Values(1, 2, 8, 63, 64, 65, 128, 200, 257));

TEST(known_stretches, of_a_group_without_a_long_one_no_block_is_looked_at_until_one_changes) {
    region_of r(3 * block_group::size);
    for (uint32_t i = 0; i < r.size(); ++i)
        r.set(i, block_state::committed, 1, 1);
    EXPECT_TRUE(r.found(stretch_of::free, 40).empty());
    for (const uint32_t i : {100u, 101u})
        r.at(i).free = all;
    EXPECT_TRUE(r.found(stretch_of::free, 40).empty()) << "nobody has said that it has changed";
    r.note(100);
    r.note(101);
    EXPECT_EQ(r.found(stretch_of::free, 40), (std::vector<stretch>{{100 * 32, 65}}));
}

TEST(known_stretches, may_be_as_long_as_the_region) {
    region_of r(5 * block_group::size + 7);
    const auto slices = r.size() * slices_per_block;
    for (int turn = 0; turn < 2; ++turn) {
        EXPECT_EQ(r.found(stretch_of::space, slices), (std::vector<stretch>{{0, slices}}));
        EXPECT_TRUE(r.found(stretch_of::space, slices + 1).empty());
        EXPECT_TRUE(r.found(stretch_of::free, 33).empty());
    }
}

} // namespace
} // namespace lowtide::test
