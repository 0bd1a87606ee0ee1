#include "worker.h"

#include "face.h"
#include "pattern.h"
#include "report.h"

#include <algorithm>
#include <cerrno>
#include <new>
#include <sys/mman.h>

namespace stress {

namespace {

// No function of the allocator may set errno to this.
constexpr int untouched_errno = EDOM;

// Blocks of one size that are allocated in a row: enough to go through magazines and slabs.
constexpr size_t longest_burst = 400;

} // namespace

std::span<entry> make_table(size_t entries) {
    void* memory =
        mmap(nullptr, entries * sizeof(entry), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        fail("no memory for the model");
    auto* first = static_cast<entry*>(memory);
    std::uninitialized_value_construct_n(first, entries);
    return {first, entries};
}

// ---- exchange

bool exchange::put(const block& b) {
    const std::lock_guard lock(mutex_);
    if (count_ == table_.size())
        return false;
    entry& e = table_[count_++];
    e.b = b;
    e.stable.store(true, std::memory_order_release);
    return true;
}

bool exchange::take(block& b) {
    const std::lock_guard lock(mutex_);
    if (count_ == 0)
        return false;
    entry& e = table_[--count_];
    e.stable.store(false, std::memory_order_release);
    b = e.b;
    return true;
}

// ---- the model

void check_block(const block& b) {
    const size_t at = first_difference(b.p, b.usable, b.pattern);
    if (at != intact)
        fail("%p (%zu bytes asked for, %zu usable): wrong contents at offset %zu", static_cast<void*>(b.p),
             b.size, b.usable, at);
    if (!face::owns(b.p))
        fail("%p is not a block of lowtide's", static_cast<void*>(b.p));
    if (face::usable_size(b.p) != b.usable)
        fail("%p: usable size changed from %zu to %zu", static_cast<void*>(b.p), b.usable,
             face::usable_size(b.p));
}

// A block that has just come from the allocator: checks what it promises and fills it.
void worker::settle(entry& e, const block& made) {
    block b = made;
    if (reinterpret_cast<uintptr_t>(b.p) % b.alignment != 0 || reinterpret_cast<uintptr_t>(b.p) % 16 != 0)
        fail("%p (%zu bytes) is not aligned to %zu", static_cast<void*>(b.p), b.size, b.alignment);
    if (!face::owns(b.p))
        fail("%p (%zu bytes) is not lowtide's: the test does not run on it?", static_cast<void*>(b.p),
             b.size);
    b.usable = face::usable_size(b.p);
    if (b.usable < b.size)
        fail("%p: %zu bytes usable of %zu", static_cast<void*>(b.p), b.usable, b.size);
    // Every block, of size 0 too, has a byte of address space to itself.
    if (live_ != nullptr)
        live_->claim(b.p, std::max<size_t>(b.usable, 1));
    b.pattern = random_.next();
    fill(b.p, b.usable, b.pattern);
    bytes_ += b.usable;
    learn(b.usable);
    e.b = b;
    e.stable.store(true, std::memory_order_release);
}

// From here on the block is in transit: to the allocator, or to another party.
void worker::leave(entry& e) {
    check_block(e.b);
    e.stable.store(false, std::memory_order_release);
    bytes_ -= e.b.usable;
}

void worker::note_failure(size_t alignment, size_t size) {
    if (!most_.may_fail)
        fail("null for %zu bytes aligned to %zu", size, alignment);
    if (errno != ENOMEM)
        fail("null with errno %d", errno);
    ++failures_;
    learn(failures_);
}

// ---- operations

void worker::allocate(entry& e) {
    const auto forms = face::allocations();
    const face::allocation& form = forms[random_.below(forms.size())];
    block b;
    b.size = random_size(random_, most_.largest);
    if (bytes_ + b.size > most_.bytes)
        b.size = random_.below(1024);
    b.alignment = std::min(random_alignment(random_), form.max_alignment);
    b.aligned = b.alignment <= form.max_alignment && form.max_alignment > 16;
    b.cxx = form.cxx;
    doing.operation = form.name;
    errno = 0;
    learn(b.size);
    b.p = static_cast<unsigned char*>(form.call(b.alignment, b.size));
    if (b.p == nullptr) {
        note_failure(b.alignment, b.size);
        return;
    }
    if (form.zeroed) {
        const size_t at = first_nonzero(b.p, b.size);
        if (at != intact)
            fail("%p (%zu bytes): not zero at offset %zu", static_cast<void*>(b.p), b.size, at);
    }
    settle(e, b);
}

void worker::release(entry& e) {
    const auto forms = face::releases();
    const face::release* form = nullptr;
    do
        form = &forms[random_.below(forms.size())];
    while (form->aligned != e.b.aligned || form->cxx != e.b.cxx);
    doing.operation = form->name;
    leave(e);
    if (live_ != nullptr)
        live_->release(e.b.p, std::max<size_t>(e.b.usable, 1));
    errno = untouched_errno;
    form->call(e.b.p, e.b.alignment, e.b.size);
    if (errno != untouched_errno)
        fail("errno is %d now", errno);
}

void worker::reallocate(entry& e) {
    doing.operation = "realloc";
    const block old = e.b;
    if (old.cxx)
        return release(e);
    size_t size = std::max<size_t>(random_size(random_, most_.largest), 1);
    if (random_.once_in(3)) // near the old size: grows or shrinks where it is
        size = std::max<size_t>(old.usable / 4 * (1 + random_.below(8)), 1);
    if (bytes_ + size > most_.bytes)
        size = std::max<size_t>(old.usable / 2, 1);
    leave(e);
    if (live_ != nullptr)
        live_->release(old.p, std::max<size_t>(old.usable, 1));
    errno = 0;
    learn(size);
    auto* p = static_cast<unsigned char*>(face::reallocate(old.p, size));
    if (p == nullptr) {
        note_failure(1, size);
        check_block(old);
        if (live_ != nullptr)
            live_->claim(old.p, std::max<size_t>(old.usable, 1));
        bytes_ += old.usable;
        e.stable.store(true, std::memory_order_release);
        return;
    }
    // A block that is aligned, or that could not shrink for want of memory, may hold far more than was asked
    // for.
    const bool fits_tightly = !old.aligned && !most_.may_fail;
    const bool grows_inside =
        size >= old.size && size <= old.usable && (size >= old.usable / 2 || fits_tightly);
    if (grows_inside && p != old.p)
        fail("%p moved though %zu of %zu usable bytes were asked for", static_cast<void*>(old.p), size,
             old.usable);
    const size_t at = first_difference(p, std::min(size, old.usable), old.pattern);
    if (at < std::min(size, old.usable))
        fail("from %p (%zu bytes) to %p (%zu): contents lost at offset %zu", static_cast<void*>(old.p),
             old.usable, static_cast<void*>(p), size, at);
    block b;
    b.p = p;
    b.size = size;
    settle(e, b);
}

// Many blocks of one size, freed in another order than they came.
void worker::burst() {
    doing.operation = "burst";
    const size_t size = 1 + random_.below(random_.once_in(4) ? 40000 : 600);
    const size_t count = std::min<size_t>(1 + random_.below(longest_burst), table_.size() / 2);
    const size_t first = random_.below(table_.size() - count);
    const size_t stride = 1 + random_.below(7);
    for (size_t i = 0; i < count; ++i) {
        entry& e = table_[first + i];
        if (e.stable.load(std::memory_order_relaxed) || bytes_ + size > most_.bytes)
            continue;
        doing.operation = "burst";
        block b;
        b.size = size;
        errno = 0;
        b.p = static_cast<unsigned char*>(face::allocations()[0].call(16, size));
        if (b.p == nullptr)
            note_failure(1, size);
        else
            settle(e, b);
    }
    for (size_t start = 0; start < stride; ++start) {
        for (size_t i = start; i < count; i += stride) {
            entry& e = table_[first + i];
            if (e.stable.load(std::memory_order_relaxed) && e.b.size == size)
                release(e);
        }
    }
}

void worker::step() {
    ++doing.step;
    if (random_.once_in(500))
        return burst();
    if (most_.trims && random_.once_in(5000)) {
        doing.operation = "malloc_trim";
        return face::trim();
    }
    entry& e = table_[random_.below(table_.size())];
    if (!e.stable.load(std::memory_order_relaxed)) {
        if (others_ == nullptr || !random_.once_in(4))
            return allocate(e);
        block b;
        doing.operation = "take over";
        if (others_->take(b)) {
            check_block(b);
            e.b = b;
            bytes_ += b.usable;
            e.stable.store(true, std::memory_order_release);
        }
        return;
    }
    switch (random_.below(8)) {
    case 0:
    case 1:
        return reallocate(e);
    case 2:
        doing.operation = "check";
        return check_block(e.b);
    case 3:
        if (others_ != nullptr) {
            doing.operation = "hand over";
            leave(e);
            if (others_->put(e.b))
                return;
            bytes_ += e.b.usable;
            e.stable.store(true, std::memory_order_release);
        }
        [[fallthrough]];
    default:
        return release(e);
    }
}

void worker::drain() {
    for (entry& e : table_) {
        if (e.stable.load(std::memory_order_relaxed))
            release(e);
    }
}

void worker::drain_half() {
    for (entry& e : table_) {
        if (e.stable.load(std::memory_order_relaxed) && random_.once_in(2))
            release(e);
    }
}

void worker::check_all() {
    doing.operation = "check all";
    for (const entry& e : table_) {
        if (e.stable.load(std::memory_order_relaxed))
            check_block(e.b);
    }
}

void worker::adopt(const block& b) {
    check_block(b);
    for (entry& e : table_) {
        if (e.stable.load(std::memory_order_relaxed))
            continue;
        if (live_ != nullptr)
            live_->claim(b.p, std::max<size_t>(b.usable, 1));
        e.b = b;
        bytes_ += b.usable;
        e.stable.store(true, std::memory_order_release);
        return;
    }
    fail("the model has no room for what the parent left");
}

} // namespace stress
