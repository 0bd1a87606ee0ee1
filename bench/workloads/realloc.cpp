// Growth by realloc: strings that are appended to, and a vector that doubles.
#include "objects.h"
#include "workload.h"

namespace lowtide::bench {
namespace {

/// A buffer that grows, and writes what it grew by.
class growing {
public:
    explicit growing(std::uint64_t tag) : tag_(tag) {}

    void grow_to(std::size_t size) {
        void* const moved = std::realloc(memory_, size);
        if (moved == nullptr) [[unlikely]]
            out_of_memory(size);
        memory_ = static_cast<char*>(moved);
        touch(memory_ + size_, size - size_, size > page ? page : cache_line, tag_ + size_);
        size_ = size;
    }

    /// Frees the buffer; made of its first word and of the last one that was written.
    std::uint64_t end() {
        const std::uint64_t last = *reinterpret_cast<std::uint64_t*>(memory_ + size_ - last_step_);
        return last + drop(memory_);
    }

    void last_step(std::size_t bytes) { last_step_ = bytes; }

private:
    char* memory_ = nullptr;
    std::size_t size_ = 0;
    std::size_t last_step_ = sizeof(std::uint64_t);
    std::uint64_t tag_;
};

/// Several strings that grow in turns, as when a program reads from several connections: the block behind one
/// is often another's.
outcome append(const parameters& with) {
    constexpr std::size_t step = 64;
    outcome result;
    while (result.operations < with.operations) {
        growing strings[] = {growing(result.operations), growing(1), growing(2), growing(3)};
        for (std::size_t size = with.size; size <= with.max_size; size += step)
            for (growing& each : strings) {
                each.grow_to(size);
                ++result.operations;
            }
        for (growing& each : strings) {
            each.last_step(step);
            result.checksum += each.end();
        }
    }
    return result;
}

outcome doubling(const parameters& with) {
    outcome result;
    while (result.operations < with.operations) {
        growing vector(result.operations);
        for (std::size_t size = with.size; size <= with.max_size; size *= 2) {
            vector.grow_to(size);
            ++result.operations;
        }
        vector.last_step(with.max_size / 2);
        result.checksum += vector.end();
    }
    return result;
}

constexpr workload list[] = {
    {"realloc/append",
     "realloc",
     "four strings grow in turns by 64 B to 16 KiB",
     append,
     {.size = 64, .max_size = 16384, .operations = 6'000'000}},
    {"realloc/doubling",
     "realloc",
     "a vector doubles from 64 B to 64 MiB",
     doubling,
     {.size = 64, .max_size = std::size_t{64} << 20, .operations = 100}},
};

} // namespace

constinit const workload_table realloc_workloads = list;

} // namespace lowtide::bench
