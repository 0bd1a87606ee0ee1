// An intrusive, circular, doubly linked list. An element derives from list_node<Tag>, once for each list it
// can be in at the same time; a node that is in none points nowhere, so `linked()` is exact. The owner of the
// list has the lock.
#pragma once

namespace lowtide {

template <typename Tag = void>
struct list_node {
    list_node* next = nullptr;
    list_node* previous = nullptr;

    [[nodiscard]] bool linked() const { return next != nullptr; }

    void unlink() {
        next->previous = previous;
        previous->next = next;
        forget();
    }

    // For links that can't be trusted any more (after a fork).
    void forget() { next = previous = nullptr; }
};

// The head of a zeroed list is valid: it becomes circular at the first use, so lists live in zeroed memory.
template <typename T, typename Tag = void>
class list {
public:
    using node = list_node<Tag>;

    [[nodiscard]] bool empty() const { return head_.next == nullptr || head_.next == &head_; }

    void push_front(T& element) { insert_after(ready(), element); }
    void push_back(T& element) { insert_after(*ready().previous, element); }

    void insert_behind(T& where, T& element) { insert_after(where, element); }

    [[nodiscard]] T* front() { return empty() ? nullptr : static_cast<T*>(head_.next); }

    [[nodiscard]] T* back() { return empty() ? nullptr : static_cast<T*>(head_.previous); }

    // The element behind `element`, or null at the end.
    [[nodiscard]] T* after(T& element) {
        node& place = element;
        return place.next == &head_ ? nullptr : static_cast<T*>(place.next);
    }

    // Drops the elements without touching them.
    void forget() { head_.forget(); }

private:
    node& ready() {
        if (head_.next == nullptr)
            head_.next = head_.previous = &head_;
        return head_;
    }

    static void insert_after(node& where, node& element) {
        element.next = where.next;
        element.previous = &where;
        where.next->previous = &element;
        where.next = &element;
    }

    node head_{};
};

} // namespace lowtide
