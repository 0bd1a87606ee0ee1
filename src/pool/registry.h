// All pools, or all heaps, of the process, for what is done to each of them. Its lock is taken before theirs.
#pragma once

#include "base/list.h"
#include "os/mutex.h"

#include <atomic>
#include <cstddef>

namespace lowtide {

// T is a list_node<>.
template <typename T>
class registry {
public:
    void add(T& element) noexcept {
        with_lock([&] {
            all_.push_back(element);
            count_.fetch_add(1, std::memory_order_relaxed);
        });
    }
    void remove(T& element) noexcept {
        with_lock([&] {
            element.unlink();
            count_.fetch_sub(1, std::memory_order_relaxed);
        });
    }
    // Without the lock; so below.
    [[nodiscard]] size_t count() const noexcept { return count_.load(std::memory_order_relaxed); }
    [[nodiscard]] bool is_empty() const noexcept { return count_.load(std::memory_order_relaxed) == 0; }

    template <typename Visit>
    void for_each(Visit visit) noexcept {
        with_lock([&] {
            for (T* element = all_.front(); element != nullptr; element = all_.after(*element))
                visit(*element);
        });
    }

private:
    // A thread that died in a fork was adding an element, or removing one. That one is lost, and with it, at
    // worst, that those behind it are looked after.
    template <typename Do>
    void with_lock(Do act) noexcept {
        if (mutex_.lock_outermost() == os::acquired::mine)
            return;
        act();
        mutex_.unlock_outermost();
    }

    os::mutex mutex_;
    list<T> all_{};
    std::atomic<size_t> count_{0};
};

} // namespace lowtide
