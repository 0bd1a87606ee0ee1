// A bounded ring for objects on their way from one thread to another.
#pragma once

#include "objects.h"

#include <atomic>

namespace lowtide::bench {

/// From one thread to one other. Each side keeps what it last saw of the other's position, and tells its own
/// only now and then, as queues for many objects do: told one by one, what is measured is who of the two is
/// faster, for the slower one then has to fetch the position back each time. All bits zero is empty.
template <std::uint64_t Capacity, std::uint64_t Batch>
class ring {
public:
    static constexpr std::uint64_t capacity = Capacity;

    bool try_push(void* object) {
        if (written_ - seen_read_ == capacity) {
            seen_read_ = read_told_.load(std::memory_order_acquire);
            if (written_ - seen_read_ == capacity)
                return false;
        }
        slots_[written_ % capacity] = object;
        if (++written_ % Batch == 0)
            tell_written();
        return true;
    }
    void tell_written() { written_told_.store(written_, std::memory_order_release); }

    void* try_pop() {
        if (read_ == seen_written_) {
            seen_written_ = written_told_.load(std::memory_order_acquire);
            if (read_ == seen_written_)
                return nullptr;
        }
        void* const object = slots_[read_ % capacity];
        if (++read_ % Batch == 0)
            tell_read();
        return object;
    }
    void tell_read() { read_told_.store(read_, std::memory_order_release); }

private:
    alignas(2 * cache_line) std::atomic<std::uint64_t> written_told_;
    alignas(2 * cache_line) std::uint64_t written_; // the producer's own
    std::uint64_t seen_read_;
    alignas(2 * cache_line) std::atomic<std::uint64_t> read_told_;
    alignas(2 * cache_line) std::uint64_t read_; // the consumer's own
    std::uint64_t seen_written_;
    alignas(2 * cache_line) void* slots_[capacity];
};

} // namespace lowtide::bench
