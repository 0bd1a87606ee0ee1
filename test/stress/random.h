// Random numbers that are the same on every machine (splitmix64, Steele, Lea & Flood 2014), and the sizes and
// alignments that the operations ask for: every path of the allocator often enough, small blocks most often.
#pragma once

#include <cstddef>
#include <cstdint>

namespace stress {

constexpr uint64_t mixed(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

class random_numbers {
public:
    explicit random_numbers(uint64_t seed) : state_(mixed(seed)) {}

    uint64_t next() { return mixed(state_ += 0x9e3779b97f4a7c15); }
    // 0 .. bound-1
    uint64_t below(uint64_t bound) { return next() % bound; }
    // True once in `n`.
    bool once_in(uint64_t n) { return below(n) == 0; }

private:
    uint64_t state_;
};

inline size_t random_size(random_numbers& random, size_t largest) {
    // Each range is several times as large and several times as rare as the one before.
    constexpr struct {
        unsigned until; // of 10000
        size_t largest;
    } ranges[] = {{7000, 1024},    {9000, 32 << 10}, {9700, 256 << 10},
                  {9970, 2 << 20}, {9996, 8 << 20},  {10000, 80 << 20}};
    const uint64_t draw = random.below(10000);
    size_t top = largest;
    for (const auto& range : ranges) {
        if (draw >= range.until)
            continue;
        top = range.largest < largest ? range.largest : largest;
        break;
    }
    // Around powers of two, where one class ends and the next begins.
    if (random.once_in(8)) {
        size_t power = 16;
        while (power < top && !random.once_in(4))
            power *= 2;
        const size_t near = power + random.below(33) - 16;
        return near < largest ? near : largest;
    }
    return random.below(top + 1);
}

inline size_t random_alignment(random_numbers& random) {
    const uint64_t draw = random.below(1000);
    const unsigned most = draw < 900 ? 12 : draw < 995 ? 16 : 23; // 4 KiB, 64 KiB, 8 MiB
    return size_t{1} << random.below(most + 1);
}

} // namespace stress
