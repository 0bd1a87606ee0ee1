// See folded.h.
#include "profile/folded.h"

#include <algorithm>
#include <functional>

namespace lowtide::tools {

namespace {

class folder {
public:
    explicit folder(detail d) : detail_(d) {}

    void add(const heap_profile& profile, amounts folded_stack::*to, amounts folded_profile::*total) {
        result_.*total = profile.total();
        std::vector<std::vector<std::size_t>> frames_of; // by location
        for (const location& each : profile.locations) {
            std::vector<std::size_t>& frames = frames_of.emplace_back();
            for (const frame& at : each.frames)
                frames.push_back(number_of(at));
            if (each.frames.empty())
                frames.push_back(number_of({.function = profile.address_name(each)}));
        }
        for (const site& each : profile.sites) {
            std::vector<std::size_t> stack;
            for (const std::size_t place : each.stack)
                stack.insert(stack.end(), frames_of[place].begin(), frames_of[place].end());
            const auto [known, is_new] = stacks_.try_emplace(std::move(stack), result_.stacks.size());
            if (is_new)
                result_.stacks.push_back({known->first, {}, {}});
            result_.stacks[known->second].*to += each.amount;
        }
    }

    folded_profile finish() { return std::move(result_); }

private:
    /// A function is known by its name: the folder of its source may be another one in another build.
    std::size_t number_of(const frame& at) {
        const frame key = detail_ == detail::lines ? at : frame{.function = at.function};
        const auto [known, is_new] = frames_.try_emplace(key, result_.frames.size());
        if (is_new) {
            result_.frames.push_back(at);
            result_.frames.back().line = key.line;
        }
        return known->second;
    }

    const detail detail_;
    folded_profile result_;
    std::map<frame, std::size_t> frames_;
    std::map<std::vector<std::size_t>, std::size_t> stacks_;
};

} // namespace

folded_profile fold(const heap_profile& profile, detail d) {
    folder result(d);
    result.add(profile, &folded_stack::after, &folded_profile::after);
    return result.finish();
}

folded_profile fold(const heap_profile& before, const heap_profile& after) {
    folder result(detail::functions);
    result.add(before, &folded_stack::before, &folded_profile::before);
    result.add(after, &folded_stack::after, &folded_profile::after);
    folded_profile both = result.finish();
    both.compared = true;
    return both;
}

void leave_out_unchanged(folded_profile& profile, quantity q) {
    std::erase_if(profile.stacks, [q](const folded_stack& s) { return s.growth(q) == 0; });
}

void sort_by_growth(folded_profile& profile, quantity q, std::size_t limit) {
    const auto growth = [q](const folded_stack& s) { return s.growth(q); };
    if (limit != 0 && limit < profile.stacks.size()) {
        std::ranges::stable_sort(profile.stacks, std::greater(),
                                 [&](const folded_stack& s) { return magnitude(growth(s)); });
        profile.stacks.resize(limit);
    }
    std::ranges::stable_sort(profile.stacks, std::greater(), growth);
}

heap_profile growth_of(const folded_profile& compared) {
    heap_profile result;
    for (const frame& each : compared.frames)
        result.locations.push_back({.frames = {each}});
    for (const folded_stack& each : compared.stacks)
        if (const amounts growth = each.after - each.before; growth.of != amounts{}.of)
            result.sites.push_back({each.frames, growth});
    return result;
}

} // namespace lowtide::tools
