// Profiles by what their stacks are called: equal stacks are one, wherever the code lay in memory. So two
// profiles can be compared, of different processes and of builds that aren't quite the same.
#pragma once

#include "profile/heap_profile.h"

#include <map>

namespace lowtide::tools {

/// A single profile has grown from nothing.
struct folded_stack {
    std::vector<std::size_t> frames; // indices into `frames`, the innermost first
    amounts before;
    amounts after;

    std::int64_t growth(quantity q) const { return (after - before)[q]; }
};

struct folded_profile {
    std::vector<frame> frames;
    std::vector<folded_stack> stacks;
    amounts before; // the totals, also of stacks that were left out later
    amounts after;
    bool compared = false; // there is something before

    std::int64_t growth(quantity q) const { return (after - before)[q]; }
};

/// Whether calls from different lines of a function are different.
enum class detail { functions, lines };

folded_profile fold(const heap_profile& profile, detail d);
folded_profile fold(const heap_profile& before, const heap_profile& after);

/// Without the stacks that have neither grown nor shrunk.
void leave_out_unchanged(folded_profile& profile, quantity q);

/// The largest growth first, what has shrunk most last. With a limit other than 0 only that many, those with
/// the largest changes.
void sort_by_growth(folded_profile& profile, quantity q, std::size_t limit);

/// The growth, as a profile of places that have no addresses.
heap_profile growth_of(const folded_profile& compared);

} // namespace lowtide::tools
