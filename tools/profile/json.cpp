// Everything, in JSON: see writers.h.
#include "profile/writers.h"

#include <nlohmann/json.hpp>

namespace lowtide::tools {

namespace {

using json = nlohmann::ordered_json;

json as_json(const amounts& amount) {
    json result;
    for (std::size_t i = 0; i < quantity_count; ++i)
        result[std::string(quantities[i].key)] = amount.of[i];
    return result;
}

json with_samples(const amounts& amount) {
    json result = as_json(amount);
    result["samples"] = amount.samples;
    result["mean_lifetime_ns"] = amount.lifetime_ns;
    return result;
}

json about(const heap_profile& profile) {
    json result = {{"program", profile.program},
                   {"pid", profile.pid},
                   {"began_ns", profile.began_ns},
                   {"taken_ns", profile.taken_ns},
                   {"rate_bytes", profile.rate}};
    if (profile.leaks)
        result["leaked"] = {{"direct_objects", profile.leaks->direct_objects},
                            {"direct_bytes", profile.leaks->direct_bytes},
                            {"indirect_objects", profile.leaks->indirect_objects},
                            {"indirect_bytes", profile.leaks->indirect_bytes}};
    return result;
}

json frames_of(const folded_stack& stack, const folded_profile& in) {
    json result = json::array();
    for (const std::size_t number : stack.frames) {
        const frame& at = in.frames[number];
        json& here = result.emplace_back(json{{"function", at.function}});
        if (!at.file.empty())
            here["file"] = at.file;
        if (at.line != 0)
            here["line"] = at.line;
    }
    return result;
}

/// One amount, or three of a comparison.
void put(json& to, const amounts& before, const amounts& after, bool compared) {
    if (!compared) {
        to.update(with_samples(after));
        return;
    }
    to["before"] = with_samples(before);
    to["after"] = with_samples(after);
    to["growth"] = as_json(after - before);
}

} // namespace

std::string write_json(const report& of) {
    json file;
    if (of.before != nullptr)
        file = {{"before", about(*of.before)}, {"after", about(of.profile)}};
    else
        file = about(of.profile);
    put(file["total"], of.folded.before, of.folded.after, of.folded.compared);
    json& stacks = file["stacks"] = json::array();
    for (const folded_stack& each : of.folded.stacks) {
        json& stack = stacks.emplace_back(json{{"frames", frames_of(each, of.folded)}});
        put(stack, each.before, each.after, of.folded.compared);
    }
    return file.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

} // namespace lowtide::tools
