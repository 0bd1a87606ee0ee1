// Pairs: an object is freed before the next one is made. The shortest way through an allocator.
#pragma once

#include "objects.h"
#include "workload.h"

namespace lowtide::bench {

/// By `forms.obtain(size)` and `forms.release(object, size)`; next_size() says what is asked for.
template <typename Forms, typename NextSize>
outcome pairs(std::uint64_t operations, const Forms& forms, NextSize next_size) {
    outcome result{.operations = operations};
    for (std::uint64_t i = 0; i < operations; ++i) {
        const std::size_t size = next_size();
        void* const object = forms.obtain(size);
        if (object == nullptr) [[unlikely]]
            out_of_memory(size);
        // Not the whole object: at 8 KiB that would be all that one measures.
        mark(object, i);
        result.checksum += tag_of(object);
        forms.release(object, size);
    }
    return result;
}

template <typename Forms>
outcome pairs_of_one_size(const parameters& with) {
    return pairs(with.operations, Forms(), [size = with.size] { return size; });
}

template <typename Forms>
outcome pairs_of_mixed_sizes(const parameters& with) {
    const size_range sizes(with.size, with.max_size);
    random_numbers random(1);
    return pairs(with.operations, Forms(), [&] { return sizes.draw(random); });
}

} // namespace lowtide::bench
