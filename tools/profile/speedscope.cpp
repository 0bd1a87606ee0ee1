// speedscope's form: see writers.h.
#include "profile/writers.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lowtide::tools {

namespace {

using json = nlohmann::ordered_json;

/// Those stacks whose growth has the sign.
json sampled_profile(const report& of, const std::string& name, int sign) {
    json samples = json::array();
    json weights = json::array();
    std::int64_t end = 0;
    for (const folded_stack& stack : of.folded.stacks) {
        const std::int64_t weight = sign < 0 ? difference(0, stack.growth(of.shown)) : stack.growth(of.shown);
        if (weight <= 0)
            continue;
        samples.push_back(json(std::vector<std::size_t>(stack.frames.rbegin(), stack.frames.rend())));
        weights.push_back(weight);
        end = sum(end, weight);
    }
    const bool bytes = description_of(of.shown).unit == "bytes";
    return {{"type", "sampled"},
            {"name", name},
            {"unit", bytes ? "bytes" : "none"},
            {"startValue", 0},
            {"endValue", end},
            {"samples", std::move(samples)},
            {"weights", std::move(weights)}};
}

} // namespace

std::string write_speedscope(const report& of) {
    json frames = json::array();
    for (const frame& each : of.folded.frames) {
        json& here = frames.emplace_back(json{{"name", each.function}});
        if (!each.file.empty())
            here["file"] = each.file;
    }
    const std::string name(description_of(of.shown).meaning);
    json profiles = json::array();
    if (of.folded.compared) {
        profiles.push_back(sampled_profile(of, name + ": grown", 1));
        profiles.push_back(sampled_profile(of, name + ": shrunk", -1));
    } else {
        profiles.push_back(sampled_profile(of, name, 1));
    }
    const json file = {{"$schema", "https://www.speedscope.app/file-format-schema.json"},
                       {"exporter", "lowtide"},
                       {"name", fmt::format("{}, process {}", of.profile.program, of.profile.pid)},
                       {"activeProfileIndex", 0},
                       {"shared", {{"frames", std::move(frames)}}},
                       {"profiles", std::move(profiles)}};
    return file.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"; // names may be of any bytes
}

} // namespace lowtide::tools
