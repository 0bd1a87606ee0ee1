// The spans of a heap of the program's own. A lock guards the list; a record in it stays what it is as long
// as somebody has that. Lock order: this, then shard class.
#pragma once

#include "base/list.h"
#include "os/mutex.h"
#include "pages/span.h"

#include <atomic>

namespace lowtide {

class span_owner {
public:
    // From now on who adds a span, or locks a shard class of the owner's (slab_tier.h), ends the process with
    // a line that says that the owner was destroyed meanwhile. But for this thread.
    void end() noexcept { ended_by_.store(os::this_thread(), std::memory_order_seq_cst); }
    [[LOWTIDE_RARE]] void expect_alive() const noexcept;

    [[LOWTIDE_RARE]] void add(owned_prefix& p) noexcept;
    // False, and nothing has happened, when a signal handler has interrupted this very list.
    [[nodiscard, LOWTIDE_RARE]] bool remove(owned_prefix& p) noexcept;
    // Calls visit(span) for each, with the lock.
    template <typename Visit>
    void for_each(Visit visit) noexcept {
        if (!lock())
            return;
        for (owned_prefix* p = spans_.front(); p != nullptr; p = spans_.after(*p))
            if (!is_mark(*p))
                visit(p->of());
        mutex_.unlock_outermost();
    }
    // What others read of a span in the list is changed with the lock.
    template <typename Change>
    void change(Change act) noexcept {
        const bool locked = lock();
        act();
        if (locked)
            mutex_.unlock_outermost();
    }
    // Where nobody else is any more.
    [[nodiscard]] span* first() noexcept {
        while (owned_prefix* p = spans_.front()) {
            if (!is_mark(*p))
                return &p->of();
            p->unlink(); // who walked there has died in a fork, or left by an exception
        }
        return nullptr;
    }

    // For who looks at one span after the other and lets others change the list in between: a mark is in the
    // list, in front of those that are still to come.
    [[LOWTIDE_RARE]] void begin_walk(owned_prefix& mark) noexcept;
    // Calls look(span) for the next one, with the lock. False when there is none.
    template <typename Look>
    [[nodiscard]] bool look_at_next(owned_prefix& mark, Look look) noexcept {
        if (!lock())
            return false;
        owned_prefix* p = spans_.after(mark);
        while (p != nullptr && is_mark(*p))
            p = spans_.after(*p);
        if (p != nullptr) {
            mark.unlink();
            spans_.insert_behind(*p, mark);
            look(p->of());
        }
        mutex_.unlock_outermost();
        return p != nullptr;
    }
    void end_walk(owned_prefix& mark) noexcept;

private:
    // What a thread that died in a fork was adding or removing is lost. One link at a time is written.
    [[nodiscard]] bool lock() noexcept {
        if (mutex_.lock_outermost() == os::acquired::mine)
            return false;
        expect_alive();
        return true;
    }
    [[nodiscard]] static bool is_mark(const owned_prefix& p) noexcept { return p.owner == nullptr; }

    os::mutex mutex_;
    list<owned_prefix, by_owner> spans_{};
    std::atomic<uintptr_t> ended_by_{0}; // the thread
};

} // namespace lowtide
