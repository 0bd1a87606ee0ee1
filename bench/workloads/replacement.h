// A table of objects of random sizes in which random ones are replaced: the steady state of a cache, an index
// or a heap of sessions. One owner at a time; the work goes on where the last owner stopped.
#pragma once

#include "objects.h"

#include <span>

namespace lowtide::bench {

class replacement {
public:
    replacement(std::span<void*> slots, size_range sizes, std::uint64_t seed)
        : slots_(slots), sizes_(sizes), random_(seed) {}

    void fill() {
        for (void*& slot : slots_)
            slot = next();
    }

    void replace(std::uint64_t times) {
        for (; times > 0; --times) {
            void*& slot = slots_[random_.below(slots_.size())];
            checksum_ += drop(slot);
            slot = next();
        }
    }

    void clear() {
        for (void* const slot : slots_)
            checksum_ += drop(slot);
    }

    std::uint64_t made() const { return made_; }
    std::uint64_t checksum() const { return checksum_; }

private:
    void* next() {
        const std::size_t size = sizes_.draw(random_);
        return make(size, ++made_ * size);
    }

    std::span<void*> slots_;
    size_range sizes_;
    random_numbers random_;
    std::uint64_t made_ = 0;
    std::uint64_t checksum_ = 0;
};

} // namespace lowtide::bench
