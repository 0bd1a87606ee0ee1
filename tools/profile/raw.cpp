// See raw.h.
#include "profile/raw.h"

#include "tools/errors.h"

#include <charconv>
#include <fmt/format.h>
#include <iterator>
#include <map>
#include <optional>
#include <stdexcept>
#include <unordered_map>
#include <utility>

namespace lowtide::tools {

namespace {

/// What is wrong with a line.
struct malformed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

constexpr std::string_view newline_in_path = "\\012";

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
    std::string result;
    for (std::size_t at; (at = text.find(from)) != text.npos; text.remove_prefix(at + from.size()))
        result.append(text.substr(0, at)).append(to);
    return result.append(text);
}

/// The fields of a line, one after the other.
class fields {
public:
    explicit fields(std::string_view line) : rest_(line) {}

    std::string_view word(const char* name) {
        if (!rest_ || rest_->empty())
            throw malformed(fmt::format("{} is missing", name));
        const std::size_t end = rest_->find(' ');
        const std::string_view result = rest_->substr(0, end);
        if (result.empty())
            throw malformed(fmt::format("{} is empty", name));
        rest_ = end == rest_->npos ? std::nullopt : std::optional(rest_->substr(end + 1));
        return result;
    }
    template <class Number>
    Number number(const char* name, int base = 10) {
        const std::string_view text = word(name);
        Number result = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result, base);
        if (error != std::errc() || end != text.data() + text.size() || text.front() == '-')
            throw malformed(fmt::format("{} is '{}', which is no {} number", name, text,
                                        base == 16 ? "hexadecimal" : "decimal"));
        return result;
    }
    std::int64_t count(const char* name) { return number<std::int64_t>(name); }
    std::uint64_t address(const char* name) { return number<std::uint64_t>(name, 16); }
    /// All that is left; it may have blanks.
    std::string path() {
        return replaced(std::exchange(rest_, std::nullopt).value_or(""), newline_in_path, "\n");
    }

    bool more() const { return rest_.has_value(); }
    void end() const {
        if (more())
            throw malformed(fmt::format("'{}' is too much", *rest_));
    }

private:
    std::optional<std::string_view> rest_; // none behind the last field
};

class reader {
public:
    /// False at the end.
    bool read(std::string_view line) {
        fields in(line);
        const std::string_view record = in.word("the record's name");
        if (record == "program")
            profile_.program = in.path();
        else if (record == "pid")
            profile_.pid = in.count("the process's id");
        else if (record == "began")
            profile_.began_ns = in.count("the time");
        else if (record == "taken")
            profile_.taken_ns = in.count("the time");
        else if (record == "rate")
            profile_.rate = in.count("the rate");
        else if (record == "mapping")
            read_mapping(in);
        else if (record == "stack")
            read_stack(in);
        else if (record == "site")
            read_site(in);
        else if (record == "leaked")
            read_leaks(in);
        else if (record != "end")
            return true;
        in.end();
        return record != "end";
    }

    /// A site may come before its stack.
    heap_profile finish() {
        for (const auto& [id, amount] : amounts_) {
            const auto stack = stacks_.find(id);
            if (stack == stacks_.end())
                throw malformed(fmt::format("there is no stack {}, of which a site was read", id));
            profile_.sites.push_back({stack->second, amount});
        }
        return std::move(profile_);
    }

private:
    void read_mapping(fields& in) {
        mapping read;
        read.start = in.address("the mapping's start");
        read.end = in.address("the mapping's end");
        read.offset = in.address("the mapping's offset");
        read.build_id = in.word("the build id");
        if (read.build_id == "-")
            read.build_id.clear();
        else if (!is_build_id(read.build_id))
            throw malformed(fmt::format("'{}' is no build id", read.build_id));
        read.path = in.path();
        if (read.start >= read.end)
            throw malformed("the mapping ends before it begins");
        profile_.mappings.push_back(std::move(read));
    }

    void read_stack(fields& in) {
        const auto id = in.count("the stack's id");
        const auto [stack, is_new] = stacks_.try_emplace(id);
        if (!is_new)
            throw malformed(fmt::format("there is a stack {} already", id));
        while (in.more()) {
            const std::uint64_t address = in.address("an address");
            if (address == 0)
                throw malformed("an address is 0");
            const auto [place, first] = places_.try_emplace(address, profile_.locations.size());
            if (first)
                profile_.locations.push_back({address});
            stack->second.push_back(place->second);
        }
    }

    void read_leaks(fields& in) {
        lost_objects& lost = profile_.leaks.emplace();
        for (std::int64_t* each :
             {&lost.direct_objects, &lost.direct_bytes, &lost.indirect_objects, &lost.indirect_bytes})
            *each = in.count("the number of what has leaked");
    }

    void read_site(fields& in) {
        const auto id = in.count("the stack's id");
        const auto [amount, is_new] = amounts_.try_emplace(id);
        if (!is_new)
            throw malformed(fmt::format("there is a site of stack {} already", id));
        for (std::size_t i = 0; i < quantity_count; ++i)
            amount->second.of[i] = in.count(quantities[i].key.data());
        amount->second.samples = in.count("the number of samples");
        amount->second.lifetime_ns = in.count("the lifetime");
    }

    heap_profile profile_;
    std::unordered_map<std::uint64_t, std::size_t> places_; // return address → index of the location
    std::map<std::int64_t, std::vector<std::size_t>> stacks_;
    std::map<std::int64_t, amounts> amounts_;
};

} // namespace

heap_profile read_raw(std::string_view text, const std::string& name) {
    reader result;
    int number = 0;
    try {
        for (bool more = true; more;) {
            const std::size_t end = text.find('\n');
            if (end == text.npos)
                throw user_error(fmt::format("{}: cut off: it has no line 'end'", name));
            const std::string_view line = text.substr(0, end);
            text.remove_prefix(end + 1);
            if (++number > 1)
                more = result.read(line);
            else if (!line.starts_with(raw_greeting))
                throw malformed("this is no profile of Lowtide");
            else if (line.substr(raw_greeting.size()) != "1")
                throw malformed(fmt::format("this command doesn't know version {} of profiles",
                                            line.substr(raw_greeting.size())));
        }
        if (!text.empty())
            throw malformed("there is more behind it");
        return result.finish();
    } catch (const malformed& what) {
        throw user_error(fmt::format("{}:{}: {}", name, number, what.what()));
    }
}

std::string write_raw(const heap_profile& profile) {
    std::string text;
    const auto to = std::back_inserter(text);
    const auto path = [](const std::string& p) { return replaced(p, "\n", newline_in_path); };
    fmt::format_to(to, "{}1\nprogram {}\npid {}\nbegan {}\ntaken {}\nrate {}\n", raw_greeting,
                   path(profile.program), profile.pid, profile.began_ns, profile.taken_ns, profile.rate);
    for (const mapping& each : profile.mappings)
        fmt::format_to(to, "mapping {:x} {:x} {:x} {} {}\n", each.start, each.end, each.offset,
                       each.build_id.empty() ? "-" : each.build_id, path(each.path));
    for (std::size_t id = 0; id < profile.sites.size(); ++id) {
        const auto& [stack, amount] = profile.sites[id];
        fmt::format_to(to, "stack {}", id);
        for (const std::size_t place : stack) {
            const std::uint64_t address = profile.locations[place].return_address;
            if (address == 0)
                throw user_error("a raw profile needs addresses, and this profile has none");
            fmt::format_to(to, " {:x}", address);
        }
        fmt::format_to(to, "\nsite {} {} {} {}\n", id, fmt::join(amount.of, " "), amount.samples,
                       amount.lifetime_ns);
    }
    if (profile.leaks)
        fmt::format_to(to, "leaked {} {} {} {}\n", profile.leaks->direct_objects, profile.leaks->direct_bytes,
                       profile.leaks->indirect_objects, profile.leaks->indirect_bytes);
    return text.append("end\n");
}

} // namespace lowtide::tools
