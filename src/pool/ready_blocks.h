// The blocks of a pool that are ready, those that were given back last in front: a ring of pointers, because
// a list would be linked through the records, which lie in the cache of the processor that gave the blocks
// back (two threads, 2 MiB: docs/design.md, "Pools"). The pool's lock guards it.
#pragma once

#include "base/bits.h"
#include "pages/metadata.h"

namespace lowtide {

struct block_record;

// Zeroed memory is a valid, empty one without room.
class ready_blocks {
public:
    // Makes room for so many in all, with the pool's lock. False, and nothing has changed, when there is no
    // memory.
    [[nodiscard]] bool reserve(metadata& records, size_t blocks) noexcept {
        if (ring_ != nullptr && blocks <= ring_->room)
            return true;
        const size_t room = next_power_of_two(blocks < least_room ? least_room : blocks);
        auto* larger = static_cast<ring*>(records.allocate(bytes_of(room), true));
        if (larger == nullptr)
            return false;
        larger->room = room;
        for (size_t i = 0; i < count_; ++i)
            larger->blocks[i] = slot(i);
        ring* before = ring_;
        ring_ = larger;
        first_ = 0;
        release(records, before);
        return true;
    }
    void end(metadata& records) noexcept {
        release(records, ring_);
        ring_ = nullptr;
    }

    [[nodiscard]] size_t count() const noexcept { return count_; }
    [[nodiscard]] block_record* back() const noexcept { return count_ == 0 ? nullptr : slot(count_ - 1); }

    void push_front(block_record& r) noexcept {
        --first_;
        ++count_;
        slot(0) = &r;
    }
    // Null when there is none.
    [[nodiscard]] block_record* pop_front() noexcept {
        if (count_ == 0)
            return nullptr;
        --count_;
        return ring_->blocks[first_++ & (ring_->room - 1)];
    }
    void pop_back() noexcept { --count_; }

    void clear() noexcept { count_ = 0; }

private:
    static constexpr size_t least_room = 64;

    struct ring {
        size_t room; // a power of two
        block_record* blocks[1];
    };
    static constexpr size_t bytes_of(size_t room) { return sizeof(size_t) + room * sizeof(block_record*); }
    static void release(metadata& records, ring* r) noexcept {
        if (r != nullptr)
            records.deallocate(r, bytes_of(r->room), true);
    }
    [[nodiscard]] block_record*& slot(size_t i) const noexcept {
        return ring_->blocks[(first_ + i) & (ring_->room - 1)];
    }

    ring* ring_ = nullptr;
    size_t first_ = 0; // wraps
    size_t count_ = 0;
};

} // namespace lowtide
