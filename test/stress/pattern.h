// What blocks are filled with: every 8 bytes differ from their neighbours and from those of every other
// block, so that a block which another one overlaps, or which was moved wrongly, is noticed at the first
// byte.
#pragma once

#include "random.h"

#include <cstring>

namespace stress {

constexpr size_t intact = ~size_t{0};

constexpr uint64_t pattern_word(uint64_t pattern, size_t index) {
    return pattern + index * 0x9e3779b97f4a7c15;
}

inline void fill(unsigned char* p, size_t size, uint64_t pattern) {
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        const uint64_t word = pattern_word(pattern, i / 8);
        memcpy(p + i, &word, 8);
    }
    const uint64_t word = pattern_word(pattern, i / 8);
    memcpy(p + i, &word, size - i);
}

// The offset of the 8 bytes that are not what fill() wrote, or `intact`.
inline size_t first_difference(const unsigned char* p, size_t size, uint64_t pattern) {
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        uint64_t word = 0;
        memcpy(&word, p + i, 8);
        if (word != pattern_word(pattern, i / 8))
            return i;
    }
    const uint64_t word = pattern_word(pattern, i / 8);
    return memcmp(p + i, &word, size - i) == 0 ? intact : i;
}

// The offset of the first byte that is not 0, or `intact`.
inline size_t first_nonzero(const unsigned char* p, size_t size) {
    for (size_t i = 0; i < size; ++i) {
        if (p[i] != 0)
            return i;
    }
    return intact;
}

} // namespace stress
