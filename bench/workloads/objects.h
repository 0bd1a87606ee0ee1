// How the workloads treat objects and random numbers: as a program would, at a cost that is the same on every
// allocator and small beside it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace lowtide::bench {

/// These end the process: a workload that does not get what it needs has no result.
[[noreturn]] void give_up(const char* why);
[[noreturn]] void out_of_memory(std::size_t size);

/// Splitmix64: one addition from number to number, so that it does not slow the loop around it.
class random_numbers {
public:
    explicit random_numbers(std::uint64_t seed) : state_(seed * golden) {}

    std::uint64_t next() {
        std::uint64_t z = state_ += golden;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }

    /// 0 … bound-1; bound is below 2^32.
    std::size_t below(std::size_t bound) { return static_cast<std::size_t>(((next() >> 32) * bound) >> 32); }

private:
    static constexpr std::uint64_t golden = 0x9e3779b97f4a7c15u;
    std::uint64_t state_;
};

/// Draws sizes from min to max, each doubling as likely as the next: programs ask for more small than large.
class size_range {
public:
    size_range(std::size_t min, std::size_t max) : min_(min) {
        while (min << (doublings_ + 1) <= max)
            ++doublings_;
    }

    std::size_t draw(random_numbers& random) const {
        const std::uint64_t bits = random.next();
        const std::size_t base = min_ << (((bits & 0xffff) * doublings_) >> 16);
        return base + static_cast<std::size_t>(((bits >> 32) * base) >> 32);
    }

private:
    std::size_t min_;
    unsigned doublings_ = 0;
};

/// The compiler must take it that somebody else looks at the memory behind p, and may have changed it.
inline void escape(void* p) {
    asm volatile("" : : "r"(p) : "memory");
}

constexpr std::size_t cache_line = 64;
constexpr std::size_t page = 4096;

/// Writes the object's first word only.
inline void mark(void* object, std::uint64_t tag) {
    *static_cast<std::uint64_t*>(object) = tag;
    escape(object);
}

/// Writes a word at the object's start and every `stride` bytes from there.
inline void touch(void* object, std::size_t size, std::size_t stride, std::uint64_t tag) {
    char* const bytes = static_cast<char*>(object);
    for (std::size_t i = 0; i + sizeof(tag) <= size; i += stride)
        *reinterpret_cast<std::uint64_t*>(bytes + i) = tag + i;
    escape(object);
}

/// Writes as programs initialise their objects: every cache line of a small one, and as much as the start of
/// each page of a larger one.
inline void initialise(void* object, std::size_t size, std::uint64_t tag) {
    touch(object, std::min(size, page), cache_line, tag);
    if (size > page)
        touch(static_cast<char*>(object) + page, size - page, page, tag);
}

/// What the object's first word is.
inline std::uint64_t tag_of(void* object) {
    escape(object);
    return *static_cast<std::uint64_t*>(object);
}

/// A new object that bears `tag`, initialised.
inline void* make(std::size_t size, std::uint64_t tag) {
    void* const object = std::malloc(size);
    if (object == nullptr) [[unlikely]]
        out_of_memory(size);
    initialise(object, size, tag);
    return object;
}

/// Frees the object and returns what its first word was.
inline std::uint64_t drop(void* object) {
    const std::uint64_t tag = tag_of(object);
    std::free(object);
    return tag;
}

/// The same where there may be none.
inline std::uint64_t drop_if_any(void* object) {
    return object == nullptr ? 0 : drop(object);
}

} // namespace lowtide::bench
