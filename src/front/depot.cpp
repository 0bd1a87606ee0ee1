#include "front/depot.h"

namespace lowtide {

// After a fork that caught a thread here, the stack can't be trusted. Its objects are lost to the child.
bool depot::lock(shelf& s) noexcept {
    switch (s.mutex.lock()) {
    case os::acquired::yes:
        return true;
    case os::acquired::mine:
        return false;
    case os::acquired::orphaned:
        s.first = s.empties = nullptr;
        s.magazines = s.least = 0;
        s.objects = 0;
        return true;
    }
    return false;
}

stock depot::pop(shelf& s) noexcept {
    magazine* m = s.first;
    if (m == nullptr)
        return {};
    __atomic_store_n(&s.first, m->next, __ATOMIC_RELAXED);
    s.objects -= m->stored;
    if (--s.magazines < s.least)
        s.least = s.magazines;
    return {m, m->stored};
}

stock depot::take(size_class c, magazine* empty) noexcept {
    shelf& s = shelf_of(c);
    if (__atomic_load_n(&s.first, __ATOMIC_RELAXED) == nullptr || !lock(s))
        return {};
    const stock taken = pop(s);
    if (taken.m != nullptr && empty != nullptr) {
        empty->next = s.empties;
        __atomic_store_n(&s.empties, empty, __ATOMIC_RELAXED);
    }
    s.mutex.unlock();
    return taken;
}

depot_answer depot::put(size_class c, const stock& given, unsigned limit) noexcept {
    shelf& s = shelf_of(c);
    depot_answer answer;
    if (!lock(s))
        return answer;
    if (s.magazines < limit) {
        answer.taken = true;
        answer.empty = s.empties;
        if (answer.empty != nullptr)
            __atomic_store_n(&s.empties, answer.empty->next, __ATOMIC_RELAXED);
        given.m->stored = given.count;
        given.m->next = s.first;
        __atomic_store_n(&s.first, given.m, __ATOMIC_RELAXED);
        ++s.magazines;
        s.objects += given.count;
    }
    s.mutex.unlock();
    return answer;
}

stock depot::take_idle(size_class c) noexcept {
    shelf& s = shelf_of(c);
    if (__atomic_load_n(&s.first, __ATOMIC_RELAXED) == nullptr || !lock(s))
        return {};
    stock idle;
    if (s.least != 0) {
        const uint32_t others = s.least - 1; // idle as well; what was needed stays
        idle = pop(s);
        s.least = others;
    }
    s.mutex.unlock();
    return idle;
}

magazine* depot::sweep(size_class c) noexcept {
    shelf& s = shelf_of(c);
    // A shelf that was never used costs no page and no lock.
    if ((__atomic_load_n(&s.first, __ATOMIC_RELAXED) == nullptr &&
         __atomic_load_n(&s.empties, __ATOMIC_RELAXED) == nullptr) ||
        !lock(s))
        return nullptr;
    s.least = s.magazines;
    magazine* empties = s.empties;
    __atomic_store_n(&s.empties, nullptr, __ATOMIC_RELAXED);
    s.mutex.unlock();
    return empties;
}

size_t depot::count(size_class c) noexcept {
    shelf& s = shelf_of(c);
    if (!lock(s))
        return 0;
    const size_t objects = s.objects;
    s.mutex.unlock();
    return objects;
}

} // namespace lowtide
