// The tables for a terminal: see writers.h.
#include "profile/writers.h"

#include "tools/in_units.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <span>

namespace lowtide::tools {

namespace {

class text_writer {
public:
    text_writer(const report& of, std::size_t limit) : of_(of), in_(of.folded), limit_(limit) {}

    std::string write() {
        write_heading();
        write_functions();
        write_stacks();
        return std::move(text_);
    }

private:
    struct function_total {
        std::int64_t flat = 0;       // in the function itself
        std::int64_t cumulative = 0; // and in what it called
    };

    template <class... Arguments>
    void print(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
        fmt::format_to(std::back_inserter(text_), format, std::forward<Arguments>(arguments)...);
    }

    static std::string without_sign(quantity q, std::int64_t amount) {
        const std::uint64_t size = magnitude(amount);
        return description_of(q).unit == "bytes" ? in_units(size) : std::to_string(size);
    }

    /// With its sign, in a comparison.
    std::string amount(quantity q, std::int64_t n) const {
        const char* sign = n < 0 ? "-" : in_.compared && n > 0 ? "+" : "";
        return sign + without_sign(q, n);
    }
    std::string amount(std::int64_t n) const { return amount(of_.shown, n); }

    /// Of all that is in use, or, in a comparison, was.
    std::string share(std::int64_t n) const {
        const std::int64_t all = in_.compared ? in_.before[of_.shown] : in_.after[of_.shown];
        if (all == 0)
            return "-";
        if (n == 0)
            return "0.0%"; // without the sign that a division may give it
        return fmt::format("{:.1f}%", 100 * static_cast<double>(n) / static_cast<double>(all));
    }

    /// What is said beside: the number of objects where bytes are shown, and the other way round.
    std::optional<quantity> other() const {
        if (of_.shown == quantity::pinned_bytes)
            return std::nullopt;
        return static_cast<quantity>(static_cast<std::size_t>(of_.shown) ^ 1);
    }

    void write_about(const char* what, const heap_profile& profile) {
        const auto time = std::chrono::system_clock::time_point(
            std::chrono::duration_cast<std::chrono::system_clock::duration>(
                std::chrono::nanoseconds(profile.taken_ns)));
        print("{}{}, process {}, {:%Y-%m-%d %H:%M:%S} UTC, after {:.1f} s of samples {} apart\n", what,
              profile.program.empty() ? "?" : profile.program, profile.pid,
              fmt::gmtime(std::chrono::system_clock::to_time_t(time)),
              static_cast<double>(profile.duration_ns()) / 1e9,
              in_units(static_cast<std::uint64_t>(profile.rate)));
    }

    void write_heading() {
        if (of_.before != nullptr) {
            write_about("before: ", *of_.before);
            write_about("after:  ", of_.profile);
        } else {
            write_about("", of_.profile);
        }
        const std::string_view meaning = description_of(of_.shown).meaning;
        if (of_.profile.leaks && of_.before == nullptr)
            return write_leaks(*of_.profile.leaks);
        if (in_.compared)
            print("{}: {} ({}), from {} to {}\n", meaning, amount(in_.growth(of_.shown)),
                  share(in_.growth(of_.shown)), without_sign(of_.shown, in_.before[of_.shown]),
                  without_sign(of_.shown, in_.after[of_.shown]));
        else
            print("{}: {}{}\n", meaning, amount(in_.after[of_.shown]),
                  in_.after.samples > 0
                      ? fmt::format(" (estimated from samples, of which {} are in use)", in_.after.samples)
                      : " (estimated from samples)");
    }

    void write_leaks(const lost_objects& lost) {
        print("leaked: {} in {} objects whose address nobody has, and {} in {} that only those have{}\n",
              in_units(magnitude(lost.direct_bytes)), lost.direct_objects,
              in_units(magnitude(lost.indirect_bytes)), lost.indirect_objects,
              of_.profile.rate > 1 ? " (estimated from samples)" : "");
    }

    std::map<std::string_view, function_total> totals_of_functions() const {
        std::map<std::string_view, function_total> result;
        for (const folded_stack& stack : in_.stacks) {
            const std::int64_t growth = stack.growth(of_.shown);
            std::set<std::string_view> seen; // a recursive one counts once
            for (const std::size_t number : stack.frames) {
                const std::string_view name = in_.frames[number].function;
                if (seen.empty())
                    result[name].flat = sum(result[name].flat, growth);
                if (seen.insert(name).second)
                    result[name].cumulative = sum(result[name].cumulative, growth);
            }
        }
        return result;
    }

    void write_functions() {
        const auto totals = totals_of_functions();
        std::vector<std::pair<std::string_view, function_total>> sorted(totals.begin(), totals.end());
        std::ranges::stable_sort(sorted, std::greater(), [](const auto& f) {
            return std::pair(magnitude(f.second.flat), magnitude(f.second.cumulative));
        });
        const std::size_t count = limit_ == 0 ? sorted.size() : std::min(limit_, sorted.size());
        print("\n{:>12} {:>7} {:>12} {:>7}  function\n", "itself", "", "with called", "");
        for (const auto& [name, total] : std::span(sorted).first(count))
            print("{:>12} {:>7} {:>12} {:>7}  {}\n", amount(total.flat), share(total.flat),
                  amount(total.cumulative), share(total.cumulative), name);
        if (count < sorted.size())
            print("{:>12} {} more functions\n", "", sorted.size() - count);
    }

    void write_stacks() {
        const bool bytes = description_of(of_.shown).unit == "bytes";
        print("\n{:>12} {:>7} {:>12}  stack\n", bytes ? "bytes" : "objects", "",
              !other() ? ""
              : bytes  ? "objects"
                       : "bytes");
        folded_profile shown = in_;
        sort_by_growth(shown, of_.shown, limit_);
        for (const folded_stack& stack : shown.stacks) {
            print("{:>12} {:>7} {:>12}", amount(stack.growth(of_.shown)), share(stack.growth(of_.shown)),
                  other() ? amount(*other(), stack.growth(*other())) : "");
            const char* indent = "  ";
            for (const std::size_t number : stack.frames) {
                print("{}{}{}\n", indent, in_.frames[number].function, source(in_.frames[number]));
                indent = "                                   ";
            }
            if (stack.frames.empty())
                print("  (no stack)\n");
        }
        if (const std::size_t more = in_.stacks.size() - shown.stacks.size(); more != 0)
            print("{:>12} {} more stacks\n", "", more);
    }

    static std::string source(const frame& at) {
        if (at.file.empty() || at.line == 0)
            return "";
        return fmt::format("  {}:{}", std::filesystem::path(at.file).filename().string(), at.line);
    }

    const report& of_;
    const folded_profile& in_;
    const std::size_t limit_;
    std::string text_;
};

} // namespace

std::string write_text(const report& of, std::size_t limit) {
    return text_writer(of, limit).write();
}

} // namespace lowtide::tools
