#include "front/chance.h"

#include "base/hash.h"

namespace lowtide {

namespace {

// Of the increments of a counter: splitmix64 (Steele, Lea & Flood 2014).
constexpr uint64_t scrambled(uint64_t n) noexcept {
    n *= golden;
    n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9;
    n = (n ^ n >> 27) * 0x94d049bb133111eb;
    return n ^ n >> 31;
}

// -ln(u / 2^53), u in 1 .. 2^53: no libm here. 2^53 / u = m * 2^e with m in [0.75, 1.5), and ln m = 2 artanh
// t, t = (m - 1) / (m + 1), |t| <= 0.2: the series is cut off at 1e-8.
double minus_log(uint64_t u) noexcept {
    constexpr double ln2 = 0.693147180559945309;
    int exponent = __builtin_clzll(u) - 10; // u / 2^53 = f * 2^-exponent, f in [1, 2)
    double f = static_cast<double>(u << exponent) * 0x1p-53;
    if (f >= 1.5) {
        f /= 2;
        --exponent;
    }
    const double t = (f - 1) / (f + 1);
    const double s = t * t;
    const double log = 2 * t * (1 + s * (1. / 3 + s * (1. / 5 + s * (1. / 7 + s * (1. / 9 + s / 11)))));
    return exponent * ln2 - log;
}

// 1 - exp(-x), x > 0.
double struck(double x) noexcept {
    if (x > 40)
        return 1;
    // The series at x / 2^k, then k times what twice the distance has: 1 - (1 - p)^2 = p (2 - p), which loses
    // no digits where p is small.
    int doublings = 0;
    for (; x > 1. / 64; x /= 2)
        ++doublings;
    double p = x * (1 - x / 2 * (1 - x / 3 * (1 - x / 4 * (1 - x / 5))));
    while (doublings-- > 0)
        p *= 2 - p;
    return p;
}

} // namespace

int64_t chance::distance(unsigned lane) noexcept {
    const size_t mean = this->mean();
    if (mean <= 1)
        return 0;
    const uint64_t draw = lanes_[lane % lanes].draws.fetch_add(1, std::memory_order_relaxed);
    const uint64_t u = (scrambled(draw * lanes + lane % lanes + 1) >> 11) + 1;
    return static_cast<int64_t>(minus_log(u) * static_cast<double>(mean));
}

double chance::weight(size_t size) const noexcept {
    const size_t mean = this->mean();
    return mean <= 1 || size == 0 ? 1 : 1 / struck(static_cast<double>(size) / static_cast<double>(mean));
}

} // namespace lowtide
