// Profiles for people and for viewers: stacks by the names of their functions, one quantity first.
#pragma once

#include "profile/folded.h"

namespace lowtide::tools {

/// What a writer shows.
struct report {
    const heap_profile& profile; // of a comparison, the later one
    const heap_profile* before;  // the earlier one, or null
    folded_profile folded;       // sorted by its growth
    quantity shown;
};

/// Tables of the functions and the stacks that have most, or changed most: `limit` of each, 0 for all.
std::string write_text(const report& of, std::size_t limit);

/// One stack a line, the outermost function first, as flamegraph.pl reads it: with a number, or those before
/// and after.
std::string write_collapsed(const report& of);

/// For https://www.speedscope.app. It has no negative weights: what shrank is a profile of its own.
std::string write_speedscope(const report& of);

/// Everything.
std::string write_json(const report& of);

} // namespace lowtide::tools
