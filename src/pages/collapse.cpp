// Huge pages for what has been in use throughout for long: the program's own accesses miss the TLB less.
//
// A block is settled when none of it was free in two rounds, some time apart. It is dense when hardly a page
// of it is missing, so that a huge page takes no memory, and when no page is shared with a child of fork or
// the parent: the huge page would be a copy. Then the kernel is asked to make a huge page of it
// (MADV_COLLAPSE), which copies it, while who touches it waits.
//
// All of this may cost a hundredth of the processor time that the process uses: a program at rest gains
// nothing and pays nothing, and where one takes 5 ms, since a hypervisor has to find the memory, there is one
// for each half second of work. Where the kernel can't, it is asked less and less, and blocks that
// are full and not dense are looked at less and less.
#include "pages/page_tier.h"

namespace lowtide {

namespace {

constexpr uint64_t round_ms = 2000;
// With less in use, small pages fit the TLB.
constexpr size_t least_used = 16 * mebibyte;
// What may be missing of a dense block: a share of its pages.
constexpr size_t missing_share = 32;
constexpr uint64_t work_share = 100;
constexpr int64_t most_credit_us = 10'000;
// The program is at work when it uses more than this share of a processor.
constexpr uint64_t idle_share = 16;
constexpr uint64_t pause_ms = 1000;
constexpr uint32_t most_doublings = 6;
// After so many rounds in vain there is nothing to stay awake for.
constexpr uint32_t patience = 3;
constexpr unsigned blocks_a_lock = 64;

} // namespace

bool page_tier::collapse_dense() noexcept {
    collapse_search& s = search_;
    const uint64_t now = source_->now_ms();
    const uint64_t cpu = source_->process_cpu_us();
    const uint64_t began = source_->thread_cpu_us();
    if (s.seen_ms != 0) {
        const uint64_t worked = cpu - s.seen_cpu_us;
        s.works = worked > (now - s.seen_ms) * 1000 / idle_share;
        s.credit_us += static_cast<int64_t>(worked / work_share);
        s.credit_us = s.credit_us < most_credit_us ? s.credit_us : most_credit_us;
    }
    s.seen_ms = now;
    s.seen_cpu_us = cpu;
    if (!settings_->huge_pages || used_bytes() < least_used || !limits_->has_room(block_size))
        return false;
    bool more = s.works;
    while (s.credit_us > 0 && now >= s.not_before_ms) {
        block* b = next_settled(now);
        if (b == nullptr) {
            more = s.works && s.found && s.vain_rounds < patience;
            break;
        }
        const size_t pages = block_size / os::page_size();
        const bool tried = source_->count_own_pages(b->base, block_size) >= pages - pages / missing_share;
        if (tried && collapse(*b)) {
            s.failures = 0;
            break;
        }
        s.wanting = true;
        if (tried) {
            s.not_before_ms = now + (pause_ms << s.failures);
            s.failures += s.failures < most_doublings ? 1 : 0;
            break;
        }
    }
    s.credit_us -= static_cast<int64_t>(source_->thread_cpu_us() - began);
    return more;
}

// The next block that was settled in the round before, and is; null at the end of a round, or before it is
// time for another. Those that are full for the first time are noted.
block* page_tier::next_settled(uint64_t now) noexcept {
    collapse_search& s = search_;
    if (s.in == nullptr) {
        if (now - s.round_began_ms < round_ms << s.vain_rounds)
            return nullptr;
        if (s.done || !s.found)
            s.vain_rounds = 0;
        else if (s.wanting && s.vain_rounds < most_doublings)
            ++s.vain_rounds;
        s.done = s.wanting = false;
        s.round_began_ms = now;
        s.in = first_region_; // which never changes once there is one
        s.index = 0;
        s.found = false;
    }
    while (s.in != nullptr && lock()) {
        block* settled = nullptr;
        for (unsigned i = 0; i < blocks_a_lock && settled == nullptr && s.in != nullptr; ++i) {
            block& b = s.in->blocks[s.index];
            const bool full = b.state == block_state::committed && (b.free | b.purging) == 0 &&
                              b.huge == huge_page::none && !b.plain;
            if (full && b.settled)
                settled = &b;
            s.found |= full;
            b.settled = full && !b.settled; // who is found wanting begins anew
            if (++s.index == s.in->block_count) {
                s.in = s.in->next;
                s.index = 0;
            }
        }
        unlock();
        if (settled != nullptr)
            return settled;
    }
    return nullptr;
}

bool page_tier::collapse(block& b) noexcept {
    const bool done = source_->collapse(b.base, block_size);
    if (!done || !lock())
        return done;
    note_huge_page(b, huge_page::collapsed, source_->now_ms());
    search_.done = true;
    ++search_.collapsed;
    unlock();
    return true;
}

} // namespace lowtide
