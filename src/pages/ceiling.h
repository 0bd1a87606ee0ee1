// What the process may hold. What it holds is the memory that is in use, or free and still resident, in the
// blocks and in the mappings of huge objects; whether the program has touched it is not known here.
//
// Under the soft limit what is free goes back before more is taken: dirty memory at once, in the page tier;
// caches, and pages within slabs, by whoever asks for memory next (entry/watch.h). At the hard limit there is
// no more. Both are SIZE_MAX where there is none.
//
// Owner: the heap. No lock: each word is read and written alone. The page tier publishes its part before it
// gives its lock up; a request there and one for a huge object at the same moment may pass the hard limit
// together.
#pragma once

#include "base/units.h"

#include <atomic>
#include <cstdint>

namespace lowtide {

class ceiling {
public:
    // A process that holds less has nothing that would be worth a look at its limits.
    static constexpr size_t least_watched = 8 * mebibyte;

    [[nodiscard]] size_t held() const noexcept { return read(in_blocks_) + read(in_huge_); }

    [[nodiscard]] size_t held_in_blocks() const noexcept { return read(in_blocks_); }

    // May so many bytes more be held?
    [[nodiscard]] bool allows(size_t bytes) const noexcept {
        return read(hard_) == SIZE_MAX || leaves(bytes);
    }
    // The same, of what would be nice to have.
    [[nodiscard]] bool has_room(size_t bytes) const noexcept {
        return allows(bytes) && held() + bytes <= read(soft_);
    }

    // How much of `dirty`, which is held, may stay.
    [[nodiscard]] size_t dirty_allowed(size_t dirty) const noexcept {
        const size_t soft = read(soft_);
        if (soft == SIZE_MAX)
            return SIZE_MAX;
        const size_t others = held() - dirty;
        return others < soft ? soft - others : 0;
    }

    // How much may stay dirty when little is in use any more, though nobody will see to it later: a
    // process without a background thread keeps that for as long as it makes no call, and others in its
    // control group may need it.
    [[nodiscard]] size_t dirty_unattended() const noexcept { return read(unattended_); }
    void set_dirty_unattended(size_t bytes) noexcept { write(unattended_, bytes); }

    [[nodiscard]] size_t soft() const noexcept { return read(soft_); }
    [[nodiscard]] size_t hard() const noexcept { return read(hard_); }
    void set_soft(size_t bytes) noexcept { write(soft_, bytes); }
    void set_hard(size_t bytes) noexcept { write(hard_, bytes); }

    // Has somebody to look whether more has to go back (entry/watch.h)? When so much is held, and now and
    // then. One load: every slow call asks.
    [[nodiscard]] bool is_attention_due() const noexcept { return due_.load(std::memory_order_relaxed); }
    void call_for_attention() noexcept { due_.store(true, std::memory_order_relaxed); }
    void expect_attention_at(size_t bytes) noexcept {
        write(attention_at_, bytes);
        due_.store(false, std::memory_order_relaxed);
        note_held();
    }

    // Free memory that is taken again is held already, but only the system knows how much of it is there: a
    // look is due after so much, too. Counted while there is a soft limit.
    [[nodiscard]] size_t taken() const noexcept { return read(taken_); }
    void note_taken(size_t bytes) noexcept {
        if (taken_.fetch_add(bytes, std::memory_order_relaxed) + bytes >= read(attention_after_))
            call_for_attention();
    }
    void expect_attention_after(size_t taken) noexcept { write(attention_after_, taken); }
    void forget_taken() noexcept { write(taken_, 0); }

    // For the page tier, and for the tier of huge objects.
    void set_in_blocks(size_t bytes) noexcept {
        write(in_blocks_, bytes);
        note_held();
    }
    void add_huge(size_t bytes) noexcept {
        in_huge_.fetch_add(bytes, std::memory_order_relaxed);
        note_held();
    }
    void take_huge(size_t bytes) noexcept { in_huge_.fetch_sub(bytes, std::memory_order_relaxed); }

private:
    [[nodiscard, gnu::cold, gnu::noinline]] bool leaves(size_t bytes) const noexcept {
        const size_t held_now = held();
        const size_t hard = read(hard_);
        return held_now <= hard && bytes <= hard - held_now;
    }

    void note_held() noexcept {
        if (held() >= read(attention_at_)) [[unlikely]]
            call_for_attention();
    }

    using word = std::atomic<size_t>;
    static size_t read(const word& w) noexcept { return w.load(std::memory_order_relaxed); }
    static void write(word& w, size_t bytes) noexcept { w.store(bytes, std::memory_order_relaxed); }

    word in_blocks_{0};
    word in_huge_{0};
    word soft_{SIZE_MAX};
    word hard_{SIZE_MAX};
    word unattended_{SIZE_MAX};
    word attention_at_{least_watched};
    word taken_{0};
    word attention_after_{SIZE_MAX};
    std::atomic<bool> due_{false};
};

} // namespace lowtide
