#include "entry/live_view.h"

#include "os/generation.h"
#include "os/machine.h"
#include "os/vm.h"

namespace lowtide {

void live_view::end(reader& r) noexcept {
    os::release(reinterpret_cast<uintptr_t>(r.page), align_up(sizeof(live_page), os::page_size()));
    r = {};
}

// The mappings are not in a child of fork (os::share_file).
void live_view::forget_parents() noexcept {
    if (generation_ == os::generation())
        return;
    for (reader& r : readers_)
        r = {};
    until_ms_.store(0, std::memory_order_relaxed);
    generation_ = os::generation();
}

bool live_view::begin(int fd, uint32_t seconds, uint64_t now_ms) noexcept {
    const uintptr_t at = os::share_file(fd, live_page_offset, align_up(sizeof(live_page), os::page_size()));
    if (at == 0)
        return false;
    auto* page = reinterpret_cast<live_page*>(at);
    page->magic = live_page_magic;
    page->version = live_page_version;
    page->bytes = sizeof(live_page);
    page->process = os::process_id();
    if (mutex_.lock_outermost() == os::acquired::mine) {
        os::release(at, align_up(sizeof(live_page), os::page_size()));
        return false;
    }
    forget_parents();
    reader* eldest = &readers_[0];
    for (reader& r : readers_)
        eldest = r.until_ms < eldest->until_ms ? &r : eldest;
    if (eldest->page != nullptr)
        end(*eldest);
    *eldest = {page, now_ms + seconds * uint64_t{1000}};
    if (eldest->until_ms > until_ms_.load(std::memory_order_relaxed))
        until_ms_.store(eldest->until_ms, std::memory_order_relaxed);
    next_ms_.store(0, std::memory_order_relaxed);
    mutex_.unlock_outermost();
    return true;
}

void live_view::write(const live_counters& now, uint64_t now_ms) noexcept {
    if (mutex_.lock_outermost() == os::acquired::mine)
        return;
    forget_parents();
    uint64_t until = 0;
    for (reader& r : readers_) {
        if (r.page == nullptr)
            continue;
        write_live(*r.page, now);
        if (now_ms >= r.until_ms)
            end(r);
        else
            until = r.until_ms > until ? r.until_ms : until;
    }
    until_ms_.store(until, std::memory_order_relaxed);
    next_ms_.store(now_ms + interval_ms, std::memory_order_relaxed);
    mutex_.unlock_outermost();
}

} // namespace lowtide
