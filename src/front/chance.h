// Which allocations are sampled: a Poisson process over the bytes that the program asks for, so that an
// allocation of `size` bytes is one with the probability 1 - exp(-size / mean), whatever was allocated before
// it, and stands for 1 / that many like it. The process has no memory: whoever counts may begin anew, with a
// new distance, at any time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace lowtide {

class chance {
public:
    // The mean distance of samples in bytes; 1: everything is one, 0: nothing is. Any thread, any time.
    [[gnu::cold]] void set_mean(size_t bytes) noexcept { mean_.store(bytes, std::memory_order_relaxed); }
    [[nodiscard]] size_t mean() const noexcept { return mean_.load(std::memory_order_relaxed); }

    // How many bytes are allocated before the next sampled allocation: that which ends behind them is it.
    // `lane` is a hint that differs between processors: so many threads draw without disturbing each other.
    [[nodiscard, gnu::cold]] int64_t distance(unsigned lane) noexcept;

    // How many allocations of that size a sampled one stands for, 1 or more.
    [[nodiscard, gnu::cold]] double weight(size_t size) const noexcept;

private:
    static constexpr unsigned lanes = 16;
    struct alignas(64) lane_state {
        std::atomic<uint64_t> draws{0};
    };

    std::atomic<size_t> mean_{0};
    lane_state lanes_[lanes]{};
};

} // namespace lowtide
