// Regions, whose whole interface is lowtide/region.h; here is what the rest of the library has to say to
// them.
#pragma once

namespace lowtide {

// Every region that is made from now on is a guarded one.
[[gnu::cold]] void guard_all_regions() noexcept;

} // namespace lowtide
