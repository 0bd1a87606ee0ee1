// A shelf where threads leave objects to each other, without waiting for anybody.
#pragma once

#include "table.h"

#include <atomic>

namespace lowtide::bench {

class shelf {
public:
    explicit shelf(std::size_t places = 256) : places_(places) {}

    /// Leaves the object in some place; gives what lay there before, or null.
    void* swap(void* object, random_numbers& random) {
        return places_[random.below(places_.size())].exchange(object, std::memory_order_acq_rel);
    }

    /// Frees what was left, when the threads are gone. What each object bore, added up.
    std::uint64_t clear() {
        std::uint64_t tags = 0;
        for (std::atomic<void*>& place : places_)
            tags += drop_if_any(place.load(std::memory_order_relaxed));
        return tags;
    }

private:
    table<std::atomic<void*>> places_;
};

} // namespace lowtide::bench
