// See lines.h.
#include "top/lines.h"

#include "tools/in_units.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <functional>
#include <nlohmann/json.hpp>

namespace lowtide::tools {

namespace {

std::uint64_t less(std::uint64_t a, std::uint64_t b) {
    return a > b ? a - b : 0;
}

std::string per_second(double bytes) {
    if (std::abs(bytes) < 1)
        return "0";
    return fmt::format("{}{}/s", bytes < 0 ? "-" : "", in_units(static_cast<std::uint64_t>(std::abs(bytes))));
}

std::string bar(std::uint64_t part, std::uint64_t whole, std::size_t width) {
    if (whole == 0)
        return "";
    const auto filled = static_cast<std::size_t>(
        std::min(1.0, static_cast<double>(part) / static_cast<double>(whole)) * static_cast<double>(width) +
        0.5);
    return std::string(filled, '#');
}

std::uint64_t key_of(const process_sample& one, order by) {
    switch (by) {
    case order::id:
        return static_cast<std::uint64_t>(one.id);
    case order::resident:
        return one.resident;
    case order::live:
        return one.counters ? one.counters->live_bytes : 0;
    case order::waste:
        return one.counters ? waste_of(*one.counters) : 0;
    case order::returned:
        return static_cast<std::uint64_t>(std::max(0.0, one.returned_rate));
    }
    return 0;
}

} // namespace

std::uint64_t waste_of(const live_counters& c) {
    return c.cached_bytes + less(c.slack_bytes, c.hole_bytes) + c.dirty_bytes;
}

void sort(std::vector<process_sample>& samples, order by) {
    if (by == order::id)
        std::ranges::stable_sort(samples, std::less{}, [](const process_sample& s) { return s.id; });
    else
        std::ranges::stable_sort(samples, std::greater{},
                                 [by](const process_sample& s) { return key_of(s, by); });
}

std::string heading() {
    return fmt::format("{:>8} {:>10} {:>12} {:>10} {:>10} {:>10} {:>10} {:>12}  {}", "PID", "RESIDENT",
                       "GROWTH", "LIVE", "CACHED", "FREE", "RETURNED", "RATE", "COMMAND");
}

std::string line_of(const process_sample& one) {
    const std::size_t colon = one.note.find(": "); // "process 1 does not answer: ..."
    const std::string note = one.note.substr(colon == one.note.npos ? 0 : colon + 2);
    if (!one.counters)
        return fmt::format("{:>8} {:>10} {:>12} {:<56}  {}", one.id, in_units(one.resident),
                           per_second(one.resident_rate), note.substr(0, 56), one.command);
    const live_counters& c = *one.counters;
    return fmt::format("{:>8} {:>10} {:>12} {:>10} {:>10} {:>10} {:>10} {:>12}  {}", one.id,
                       in_units(one.resident), per_second(one.resident_rate), in_units(c.live_bytes),
                       in_units(c.cached_bytes), in_units(less(c.slack_bytes, c.hole_bytes) + c.dirty_bytes),
                       in_units(c.returned_bytes), per_second(one.returned_rate), one.command);
}

std::vector<std::string> detail_of(const process_sample& one, std::size_t columns, std::size_t lines) {
    std::vector<std::string> shown{fmt::format("process {} ({}): {} resident, {}", one.id, one.command,
                                               in_units(one.resident), per_second(one.resident_rate))};
    if (!one.counters) {
        shown.push_back(one.note);
        return shown;
    }
    const live_counters& c = *one.counters;
    const std::size_t width = columns > 70 ? std::min<std::size_t>(columns - 70, 40) : 10;
    const auto row = [&](const char* name, std::uint64_t bytes, const char* meaning) {
        shown.push_back(fmt::format("{:<10} {:>10} {:<{}}  {}", name, in_units(bytes),
                                    bar(bytes, one.resident, width), width, meaning));
    };
    row("live", c.live_bytes, "held by the program; what it has never touched isn't resident");
    row("cached", c.cached_bytes, "free objects in magazines and depots");
    row("in slabs", less(c.slack_bytes, c.hole_bytes), "free objects between others");
    row("returned", c.hole_bytes, "free objects whose pages have gone back");
    row("dirty", c.dirty_bytes, "free runs that may be in memory");
    row("metadata", c.metadata_bytes, "the allocator's own");
    shown.push_back(fmt::format("given back so far {}, in {} calls, {} now; {} huge objects; held {}{}",
                                in_units(c.returned_bytes), c.purges, per_second(one.returned_rate),
                                c.huge_count, in_units(c.held_bytes),
                                c.soft_limit == UINT64_MAX ? "" : ", limit " + in_units(c.soft_limit)));
    shown.push_back("");
    shown.push_back(fmt::format("{:>10} {:>8} {:>12} {:>12} {:>10} {:>12}", "SIZE", "SLABS", "LIVE", "ROOM",
                                "CACHED", "LIVE BYTES"));
    std::vector<live_class> classes(c.classes,
                                    c.classes + std::min<std::size_t>(c.class_count, std::size(c.classes)));
    std::erase_if(classes, [](const live_class& k) { return k.room == 0; });
    std::ranges::stable_sort(classes, std::greater{}, [](const live_class& k) { return k.room * k.size; });
    for (const live_class& k : classes) {
        if (lines != 0 && shown.size() + 1 >= lines)
            break;
        shown.push_back(fmt::format("{:>10} {:>8} {:>12} {:>12} {:>10} {:>12}", k.size, k.slabs, k.live,
                                    k.room, k.cached, in_units(k.live * k.size)));
    }
    if (c.large_count != 0)
        shown.push_back(fmt::format("{:>10} {:>8} {:>12} {:>12} {:>10} {:>12}", "larger", "", c.large_count,
                                    "", "", in_units(c.large_bytes)));
    return shown;
}

std::string json_of(const std::vector<process_sample>& samples) {
    auto list = nlohmann::ordered_json::array();
    for (const process_sample& one : samples) {
        nlohmann::ordered_json entry = {{"pid", one.id},
                                        {"command", one.command},
                                        {"resident_bytes", one.resident},
                                        {"resident_bytes_per_second", one.resident_rate}};
        if (one.counters) {
            const live_counters& c = *one.counters;
            entry.update({{"live_bytes", c.live_bytes},
                          {"cached_bytes", c.cached_bytes},
                          {"slab_free_bytes", c.slack_bytes},
                          {"slab_returned_bytes", c.hole_bytes},
                          {"dirty_bytes", c.dirty_bytes},
                          {"metadata_bytes", c.metadata_bytes},
                          {"huge_bytes", c.huge_bytes},
                          {"held_bytes", c.held_bytes},
                          {"returned_bytes_total", c.returned_bytes},
                          {"returned_bytes_per_second", one.returned_rate},
                          {"purges_total", c.purges},
                          {"sample_rate", c.sample_rate}});
        } else {
            entry["note"] = one.note;
        }
        list.push_back(std::move(entry));
    }
    // A name may have any bytes in it.
    return nlohmann::ordered_json{{"processes", std::move(list)}}.dump(
        -1, ' ', false, nlohmann::json::error_handler_t::replace);
}

} // namespace lowtide::tools
