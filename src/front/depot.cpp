#include "front/depot.h"

namespace lowtide {

// The shelf's own count is never ahead of the sums.
void depot::add(size_class c, size_t objects) noexcept {
    objects_.fetch_add(objects, std::memory_order_relaxed);
    bytes_.fetch_add(objects * object_size(c), std::memory_order_relaxed);
    shelf_of(c).objects += objects;
}

void depot::subtract(size_class c, size_t objects) noexcept {
    shelf_of(c).objects -= objects;
    bytes_.fetch_sub(objects * object_size(c), std::memory_order_relaxed);
    objects_.fetch_sub(objects, std::memory_order_relaxed);
}

// After a fork that caught a thread here, the stack can't be trusted. Its objects are lost to the child.
void depot::abandon(size_class c) noexcept {
    shelf& s = shelf_of(c);
    s.first = s.empties = nullptr;
    s.magazines = s.least = 0;
    subtract(c, s.objects);
}

bool depot::lock(size_class c) noexcept {
    switch (shelf_of(c).mutex.lock()) {
    case os::acquired::yes:
        return true;
    case os::acquired::mine:
        return false;
    case os::acquired::orphaned:
        abandon(c);
        return true;
    }
    return false;
}

stock depot::pop(size_class c) noexcept {
    shelf& s = shelf_of(c);
    magazine* m = s.first;
    if (m == nullptr)
        return {};
    __atomic_store_n(&s.first, m->next, __ATOMIC_RELAXED);
    if (--s.magazines < s.least)
        s.least = s.magazines;
    subtract(c, m->stored);
    return {m, m->stored};
}

stock depot::take(size_class c, magazine* empty) noexcept {
    shelf& s = shelf_of(c);
    if (__atomic_load_n(&s.first, __ATOMIC_RELAXED) == nullptr || !lock(c))
        return {};
    const stock taken = pop(c);
    if (taken.m != nullptr && empty != nullptr) {
        empty->next = s.empties;
        __atomic_store_n(&s.empties, empty, __ATOMIC_RELAXED);
    }
    s.mutex.unlock();
    return taken;
}

depot_answer depot::put(size_class c, const stock& given, const depot_limits& most) noexcept {
    shelf& s = shelf_of(c);
    depot_answer answer;
    const size_t objects = objects_.load(std::memory_order_relaxed) + given.count;
    const size_t bytes = bytes_.load(std::memory_order_relaxed) + given.count * object_size(c);
    if (objects > most.objects || bytes > most.bytes || !lock(c))
        return answer;
    answer.taken = true;
    answer.empty = s.empties;
    if (answer.empty != nullptr)
        __atomic_store_n(&s.empties, answer.empty->next, __ATOMIC_RELAXED);
    given.m->stored = given.count;
    given.m->next = s.first;
    __atomic_store_n(&s.first, given.m, __ATOMIC_RELAXED);
    ++s.magazines;
    add(c, given.count);
    s.mutex.unlock();
    return answer;
}

stock depot::take_idle(size_class c) noexcept {
    shelf& s = shelf_of(c);
    if (__atomic_load_n(&s.first, __ATOMIC_RELAXED) == nullptr || !lock(c))
        return {};
    stock idle;
    if (s.least != 0) {
        const uint32_t others = s.least - 1; // idle as well; what was needed stays
        idle = pop(c);
        s.least = others;
    }
    s.mutex.unlock();
    return idle;
}

magazine* depot::sweep(size_class c) noexcept {
    shelf& s = shelf_of(c);
    if (is_vacant(c) || !lock(c))
        return nullptr;
    s.least = s.magazines;
    magazine* empties = s.empties;
    __atomic_store_n(&s.empties, nullptr, __ATOMIC_RELAXED);
    s.mutex.unlock();
    return empties;
}

size_t depot::count(size_class c) noexcept {
    shelf& s = shelf_of(c);
    if (!lock(c))
        return 0;
    const size_t objects = s.objects;
    s.mutex.unlock();
    return objects;
}

} // namespace lowtide
