// What `lowtide top` shows, as lines of text.
#pragma once

#include "top/observer.h"

#include <string>
#include <vector>

namespace lowtide::tools {

enum class order { id, resident, live, waste, returned };

/// Memory that is there and that the program doesn't hold; what is resident of it isn't known exactly.
std::uint64_t waste_of(const live_counters& c);

void sort(std::vector<process_sample>& samples, order by);

std::string heading();
std::string line_of(const process_sample& one);

/// The account as bars, and the largest size classes, in so many columns and lines.
std::vector<std::string> detail_of(const process_sample& one, std::size_t columns, std::size_t lines);

/// One object, on one line.
std::string json_of(const std::vector<process_sample>& samples);

} // namespace lowtide::tools
