#include "slab/span_owner.h"

#include "base/print.h"
#include "os/machine.h"

namespace lowtide {

void span_owner::add(owned_prefix& p) noexcept {
    if (!lock())
        return;
    spans_.push_back(p);
    mutex_.unlock_outermost();
}

bool span_owner::remove(owned_prefix& p) noexcept {
    if (!lock())
        return false;
    if (p.linked()) // what was being added when a thread died in a fork never was
        p.unlink();
    mutex_.unlock_outermost();
    return true;
}

void span_owner::expect_alive() const noexcept {
    const uintptr_t ended_by = ended_by_.load(std::memory_order_seq_cst);
    if (ended_by == 0 || ended_by == os::this_thread()) [[likely]]
        return;
    char text[160];
    printer line(text);
    line.print("lowtide: heap {} was destroyed, and another thread is in it\n",
               static_cast<const void*>(this));
    os::abort_process(line.text());
}

void span_owner::begin_walk(owned_prefix& mark) noexcept {
    if (!lock())
        return;
    spans_.push_front(mark);
    mutex_.unlock_outermost();
}

void span_owner::end_walk(owned_prefix& mark) noexcept {
    static_cast<void>(remove(mark));
}

} // namespace lowtide
