#include "support/fake_pages.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <sys/mman.h>

namespace lowtide::test {

namespace {

fake_pages* the_fake = nullptr;

// All of it is in memory afterwards, and holds what it held.
void touch(uintptr_t base, size_t bytes) {
    for (size_t at = 0; at < bytes; at += os::page_size())
        __atomic_fetch_add(reinterpret_cast<char*>(base + at), 0, __ATOMIC_RELAXED);
}

} // namespace

fake_pages::fake_pages() : arena_(os::reserve(arena_bytes, block_size)), slices_(arena_bytes / slice_size) {
    EXPECT_NE(arena_, 0u);
    os::no_more_huge_pages(arena_, arena_bytes); // tests ask which pages are in memory
    EXPECT_EQ(the_fake, nullptr) << "one fake at a time";
    the_fake = this;
    source_ = {reserve,
               claim,
               commit,
               decommit,
               purge,
               fill_with_huge_page,
               allow_huge_pages,
               no_more_huge_pages,
               split_huge_page,
               huge_pages_come_unasked,
               populate,
               collapse,
               count_own_pages,
               os::all_in_memory,
               release,
               map,
               space_limit,
               now_ms,
               process_cpu_us,
               thread_cpu_us};
    refuse(system_call::fill);
}

fake_pages::~fake_pages() {
    for (const auto& [base, bytes] : records_)
        os::release(base, bytes);
    os::release(arena_, arena_bytes);
    the_fake = nullptr;
}

bool fake_pages::grants(system_call which) {
    ++counts_[static_cast<unsigned>(which)];
    const bool unlucky = calls_until_refusal_ != 0 && --calls_until_refusal_ == 0;
    return !unlucky && !refused_[static_cast<unsigned>(which)];
}

bool fake_pages::all_are(uintptr_t base, size_t bytes, state wanted) const {
    if (!in_arena(base) || bytes > arena_bytes - (base - arena_) || base % slice_size != 0 ||
        bytes % slice_size != 0)
        return false;
    for (size_t i = slice_of(base); i < slice_of(base) + bytes / slice_size; ++i)
        if (slices_[i] != wanted)
            return false;
    return true;
}

void fake_pages::set(uintptr_t base, size_t bytes, state to) {
    for (size_t i = slice_of(base); i < slice_of(base) + bytes / slice_size; ++i) {
        reserved_slices_ += (to == state::reserved) - (slices_[i] == state::reserved);
        committed_slices_ += (to == state::committed) - (slices_[i] == state::committed);
        slices_[i] = to;
    }
}

void fake_pages::occupy(uintptr_t base, size_t bytes) {
    const std::lock_guard guard(mutex_);
    EXPECT_TRUE(all_are(base, bytes, state::unmapped));
    set(base, bytes, state::foreign);
}

void fake_pages::vacate(uintptr_t base, size_t bytes) {
    const std::lock_guard guard(mutex_);
    EXPECT_TRUE(all_are(base, bytes, state::foreign));
    set(base, bytes, state::unmapped);
}

// The lowest place that is free, as far as the limit allows.
uintptr_t fake_pages::reserve(size_t bytes, size_t alignment) noexcept {
    fake_pages& fake = *the_fake;
    if (fake.hook_)
        fake.hook_(system_call::reserve);
    const std::lock_guard guard(fake.mutex_);
    EXPECT_TRUE(alignment <= block_size && bytes % slice_size == 0);
    if (!fake.grants(system_call::reserve) ||
        bytes > fake.limit_ - std::min(fake.limit_, fake.reserved_bytes()))
        return 0;
    size_t have = 0;
    for (size_t i = 0; i < fake.slices_.size(); ++i) {
        const bool starts = have != 0 || i % (block_size / slice_size) == 0;
        have = starts && fake.slices_[i] == state::unmapped ? have + 1 : 0;
        if (have * slice_size == bytes) {
            const uintptr_t base = fake.arena_ + (i + 1 - have) * slice_size;
            fake.set(base, bytes, state::reserved);
            return base;
        }
    }
    return 0;
}

os::claimed fake_pages::claim(uintptr_t base, size_t bytes) noexcept {
    fake_pages& fake = *the_fake;
    if (fake.hook_)
        fake.hook_(system_call::claim);
    const std::lock_guard guard(fake.mutex_);
    const bool room = bytes <= fake.limit_ - std::min(fake.limit_, fake.reserved_bytes());
    if (!room)
        return os::claimed::refused;
    if (!fake.grants(system_call::claim) || !fake.all_are(base, bytes, state::unmapped))
        return os::claimed::taken;
    fake.set(base, bytes, state::committed);
    return os::commit(base, bytes) ? os::claimed::yes : os::claimed::refused;
}

bool fake_pages::commit(uintptr_t base, size_t bytes) noexcept {
    fake_pages& fake = *the_fake;
    if (fake.hook_)
        fake.hook_(system_call::commit);
    const std::lock_guard guard(fake.mutex_);
    EXPECT_TRUE(fake.all_are(base, bytes, state::reserved)) << "commit of what isn't reserved";
    if (!fake.grants(system_call::commit))
        return false;
    fake.set(base, bytes, state::committed);
    return os::commit(base, bytes);
}

void fake_pages::decommit(uintptr_t base, size_t bytes) noexcept {
    const std::lock_guard guard(the_fake->mutex_);
    EXPECT_TRUE(the_fake->all_are(base, bytes, state::committed)) << "decommit of what isn't committed";
    the_fake->set(base, bytes, state::reserved);
    os::decommit(base, bytes);
}

size_t fake_pages::resident_bytes(uintptr_t base, size_t bytes) {
    const uintptr_t from = align_down(base, os::page_size());
    const size_t pages = divide_up(base + bytes - from, os::page_size());
    std::vector<unsigned char> answers(pages);
    EXPECT_EQ(mincore(reinterpret_cast<void*>(from), pages * os::page_size(), answers.data()), 0);
    return static_cast<size_t>(
               std::count_if(answers.begin(), answers.end(), [](unsigned char a) { return (a & 1) != 0; })) *
           os::page_size();
}

bool fake_pages::purge(uintptr_t base, size_t bytes) noexcept {
    fake_pages& fake = *the_fake;
    if (fake.hook_)
        fake.hook_(system_call::purge);
    const std::lock_guard guard(fake.mutex_);
    const uintptr_t first = align_down(base, slice_size);
    EXPECT_TRUE(fake.all_are(first, align_up(base + bytes, slice_size) - first, state::committed))
        << "purge of what isn't committed";
    return fake.grants(system_call::purge) && os::purge(base, bytes);
}

os::huge_page_fill fake_pages::fill_with_huge_page(uintptr_t base, size_t bytes) noexcept {
    fake_pages& fake = *the_fake;
    if (fake.hook_)
        fake.hook_(system_call::fill);
    const std::lock_guard guard(fake.mutex_);
    EXPECT_EQ(bytes, block_size);
    EXPECT_EQ(base % block_size, 0u);
    EXPECT_TRUE(fake.all_are(base, bytes, state::committed)) << "a huge page for what isn't committed";
    const bool done = fake.grants(system_call::fill);
    if (done) {
        touch(base, bytes);
        fake.huge_.insert(base);
        fake.plain_.erase(base);
    }
    return {done, fake.fill_us_};
}

bool fake_pages::populate(uintptr_t base, size_t bytes) noexcept {
    fake_pages& fake = *the_fake;
    const std::lock_guard guard(fake.mutex_);
    const uintptr_t first = align_down(base, slice_size);
    EXPECT_TRUE(fake.all_are(first, align_up(base + bytes, slice_size) - first, state::committed));
    const bool done = fake.grants(system_call::populate);
    if (done)
        touch(base, bytes);
    return done;
}

bool fake_pages::collapse(uintptr_t base, size_t bytes) noexcept {
    fake_pages& fake = *the_fake;
    if (fake.hook_)
        fake.hook_(system_call::collapse);
    const std::lock_guard guard(fake.mutex_);
    EXPECT_EQ(bytes, block_size);
    EXPECT_TRUE(fake.all_are(base, bytes, state::committed));
    EXPECT_FALSE(fake.plain_.contains(base)) << "asked for what it was told not to do";
    fake.thread_cpu_us_ += fake.collapse_us_;
    const bool done = fake.grants(system_call::collapse);
    if (done)
        touch(base, bytes);
    return done;
}

size_t fake_pages::count_own_pages(uintptr_t base, size_t bytes) noexcept {
    return the_fake->shared_.contains(base) ? 0 : resident_bytes(base, bytes) / os::page_size();
}

void fake_pages::split_huge_page(uintptr_t page) noexcept {
    const std::lock_guard guard(the_fake->mutex_);
    EXPECT_TRUE(the_fake->all_are(align_down(page, slice_size), slice_size, state::committed));
    EXPECT_TRUE(the_fake->huge_unasked_ || resident_bytes(page, 1) != 0) << "it has gone back itself";
    ++the_fake->splits_;
}

bool fake_pages::huge_pages_come_unasked() noexcept {
    return the_fake->huge_unasked_;
}

void fake_pages::allow_huge_pages(uintptr_t base, size_t bytes) noexcept {
    const std::lock_guard guard(the_fake->mutex_);
    EXPECT_TRUE(base % block_size == 0 && bytes % block_size == 0);
    EXPECT_TRUE(the_fake->all_are(base, bytes, state::committed));
    for (uintptr_t block = base; block < base + bytes; block += block_size) {
        the_fake->huge_.insert(block);
        the_fake->plain_.erase(block);
    }
}

void fake_pages::no_more_huge_pages(uintptr_t base, size_t bytes) noexcept {
    const std::lock_guard guard(the_fake->mutex_);
    EXPECT_TRUE(base % block_size == 0 && bytes % block_size == 0 && bytes != 0);
    const bool begins = the_fake->committed_slices_ <= 2 * slices_per_block;
    for (uintptr_t block = base; block < base + bytes; block += block_size) {
        EXPECT_TRUE(the_fake->huge_.erase(block) == 1 || the_fake->huge_unasked_ ||
                    the_fake->plain_allowed_ || begins);
        EXPECT_TRUE(the_fake->plain_.insert(block).second) << "said twice";
    }
}

bool fake_pages::release(uintptr_t base, size_t bytes) noexcept {
    fake_pages& fake = *the_fake;
    std::unique_lock guard(fake.mutex_);
    if (!fake.in_arena(base)) {
        const auto record = fake.records_.find(base);
        EXPECT_TRUE(record != fake.records_.end() && record->second == bytes)
            << "release of what was never mapped";
        fake.records_.erase(base);
        return os::release(base, bytes);
    }
    EXPECT_TRUE(fake.all_are(base, bytes, state::reserved) || fake.all_are(base, bytes, state::committed))
        << "release of what isn't ours";
    if (!fake.grants(system_call::release))
        return false;
    fake.set(base, bytes, state::unmapped);
    for (uintptr_t block = align_up(base, block_size); block + block_size <= base + bytes;
         block += block_size) {
        fake.plain_.erase(block);
        fake.huge_.erase(block);
    }
    os::decommit(base, bytes);
    guard.unlock();
    if (fake.released_hook_)
        fake.released_hook_();
    return true;
}

uintptr_t fake_pages::map(size_t bytes, size_t alignment) noexcept {
    fake_pages& fake = *the_fake;
    if (fake.hook_)
        fake.hook_(system_call::map);
    const std::lock_guard guard(fake.mutex_);
    if (!fake.grants(system_call::map))
        return 0;
    const uintptr_t base = os::map(bytes, alignment);
    fake.records_[base] = bytes;
    return base;
}

size_t fake_pages::space_limit() noexcept {
    return the_fake->limit_ < arena_bytes ? the_fake->limit_ : SIZE_MAX;
}

uint64_t fake_pages::now_ms() noexcept {
    return the_fake->now_ms_;
}

uint64_t fake_pages::process_cpu_us() noexcept {
    return the_fake->process_cpu_us_;
}

uint64_t fake_pages::thread_cpu_us() noexcept {
    return the_fake->thread_cpu_us_;
}

} // namespace lowtide::test
