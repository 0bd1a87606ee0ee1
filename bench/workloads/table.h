// An array that does not come from the allocator under test: the workloads keep their bookkeeping in these.
#pragma once

#include "objects.h"

#include <sys/mman.h>
#include <utility>

namespace lowtide::bench {

/// `count` values of T, all bits zero. T needs no constructor. Unmapped at the end of the scope.
template <typename T>
class table {
public:
    explicit table(std::size_t count) : count_(count) {
        void* const memory = mmap(nullptr, bytes(), PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED)
            out_of_memory(bytes());
        values_ = static_cast<T*>(memory);
    }
    ~table() { munmap(values_, bytes()); }
    table(const table&) = delete;
    table& operator=(const table&) = delete;

    std::size_t size() const { return count_; }
    T& operator[](std::size_t i) { return values_[i]; }
    T* begin() { return values_; }
    T* end() { return values_ + count_; }

private:
    std::size_t bytes() const { return count_ * sizeof(T); }

    T* values_;
    std::size_t count_;
};

/// Puts the values into random order.
template <typename T>
void shuffle(table<T>& values, random_numbers random) {
    for (std::size_t i = values.size() - 1; i > 0; --i)
        std::swap(values[i], values[random.below(i + 1)]);
}

} // namespace lowtide::bench
