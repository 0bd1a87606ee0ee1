// The heap profile as the process itself can write it: what was sampled, by stack, with nothing but addresses
// in it, and where these were mapped. The command makes pprof's format and others of it (tools/profile/).
//
// Text, a record a line, fields with one blank between them, numbers decimal but for addresses, which are
// hexadecimal; a reader skips the kinds that it doesn't know:
//
//     lowtide profile 1
//     program PATH
//     pid N
//     began NS              unix time in nanoseconds: when sampling was switched on
//     taken NS              now
//     rate BYTES            the mean distance of samples
//     mapping START END OFFSET BUILDID PATH     of code; END exclusive; BUILDID hexadecimal, or "-"; PATH as
//                                               /proc/PID/maps has it, may have blanks
//     stack ID ADDRESS…     return addresses, the innermost first
//     site ID IN_USE_OBJECTS IN_USE_BYTES ALLOCATED_OBJECTS ALLOCATED_BYTES PEAK_OBJECTS PEAK_BYTES
//          PINNED_BYTES SAMPLES LIFETIME_NS     (one line) of the stack with that ID, estimated but for
//          SAMPLES,
//                                               those in use; LIFETIME_NS: the mean of what was freed; 0:
//                                               none was
//     leaked DIRECT_OBJECTS DIRECT_BYTES INDIRECT_OBJECTS INDIRECT_BYTES
//                           in a report of leaks (entry/leaks.cpp): what is in use is what has leaked, here
//                           and in each site; sites without leaks aren't there
//     end
#pragma once

#include "base/print.h"
#include "observe/samples.h"

namespace lowtide {

struct profile_times {
    uint64_t began_ns;
    uint64_t taken_ns;
};

// Anything that isn't in it yet, for a moment, locks `all`.
[[gnu::cold]] void print_profile(printer& out, samples& all, size_t rate, const profile_times& times,
                                 const samples::leaks* leaks = nullptr) noexcept;

} // namespace lowtide
