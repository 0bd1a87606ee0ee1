// The raw profile, as the library writes it: text, one record a line, the fields separated by one blank.
//
//     lowtide profile 1
//     program PATH
//     pid N
//     began NS                        Unix time when sampling began
//     taken NS                        when this was written
//     rate BYTES                      mean distance of samples
//     mapping START END OFFSET BUILDID PATH
//                                     hexadecimal; BUILDID may be "-"; executable ones only
//     stack ID ADDRESS ADDRESS ...    return addresses, hexadecimal, the innermost first
//     site ID IN_USE_OBJECTS IN_USE_BYTES ALLOCATED_OBJECTS ALLOCATED_BYTES PEAK_OBJECTS PEAK_BYTES
//          PINNED_BYTES SAMPLES LIFETIME_NS
//                                     of the stack ID; on one line
//     leaked DIRECT_OBJECTS DIRECT_BYTES INDIRECT_OBJECTS INDIRECT_BYTES
//                                     in a report of leaks, in which what is in use is what has leaked
//     end
//
// A path may have blanks in it, and a newline as \012. Records of other names are a newer library's.
#pragma once

#include "profile/heap_profile.h"

namespace lowtide::tools {

constexpr std::string_view raw_greeting = "lowtide profile ";

/// `name` is the file's, for messages. Throws user_error: what is wrong, and in which line.
heap_profile read_raw(std::string_view text, const std::string& name);

/// Throws user_error where the profile has places without an address.
std::string write_raw(const heap_profile& profile);

} // namespace lowtide::tools
