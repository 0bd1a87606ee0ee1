// The account: what a process holds and where, at one moment. Filled on request from counters that slow paths
// keep; exact when no other thread runs.
#pragma once

#include "base/size_class.h"
#include "pages/page_tier.h"

#include <cstddef>

namespace lowtide {

struct class_account {
    size_t size = 0;    // bytes of an object
    size_t slabs = 0;   // 0 for runs
    size_t objects = 0; // room for
    size_t live = 0;    // held by the program
    size_t cached = 0;  // in magazines and depots
};

struct account {
    class_account classes[all_classes]{};
    size_t large_count = 0; // runs outside the classes
    size_t large_bytes = 0;
    size_t huge_count = 0;
    size_t huge_bytes = 0;
    size_t live_bytes = 0; // usable bytes of everything the program holds
    size_t cached_bytes = 0;
    size_t slack_bytes = 0; // free objects in slabs
    size_t hole_bytes = 0;  // of that, what has gone back to the system
    size_t metadata_bytes = 0;
    size_t returned_bytes = 0;    // given back to the system so far
    size_t held_bytes = 0;        // what the limits are about
    size_t soft_limit = SIZE_MAX; // none; so below
    size_t hard_limit = SIZE_MAX;
    page_counts pages{};
};

} // namespace lowtide
