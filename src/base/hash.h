// Hashes of addresses: quick, and good enough for tables of ours. Pure functions.
#pragma once

#include <cstdint>

namespace lowtide {

// 2^64 divided by the golden ratio: multiplied by it, neighbours lie far apart, in the upper bits (Knuth,
// TAOCP 3, 6.4).
inline constexpr uint64_t golden = 0x9e3779b97f4a7c15;

constexpr uint64_t hash_with(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * golden;
    return hash ^ hash >> 32;
}

} // namespace lowtide
