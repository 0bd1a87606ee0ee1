// The plain-text report: one table for each metric, then the standings.
#include "report/report.h"

#include "runner/scaling.h"

#include <algorithm>
#include <fmt/format.h>
#include <string_view>

namespace lowtide::bench {

namespace {

enum class colour { none, good, bad, faint };

constexpr double good_ratio = 1.05; // within what repeated runs differ by
constexpr double bad_ratio = 1.25;
constexpr double bad_scaling = 1 / 0.9; // many threads shall come to nine tenths of what few do

/// A value in the largest unit that keeps it at 1 or more, in three digits or so.
std::string scaled(double value, std::initializer_list<const char*> units, double step) {
    auto unit = units.begin();
    for (; value >= step && unit + 1 != units.end(); ++unit)
        value /= step;
    const int digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    return fmt::format("{:.{}f}{}", value, digits, *unit);
}

std::string in_bytes(double kib) {
    return scaled(kib, {" KiB", " MiB", " GiB"}, 1024);
}

std::string in_words(const metric& what, double value) {
    if (what.value == &measurement::ns_per_operation || what.value == &measurement::reload_ns)
        return scaled(value, {" ns", " µs", " ms", " s"}, 1000);
    if (what.value == &measurement::peak_rss_kib || what.value == &measurement::idle_rss_kib)
        return in_bytes(value);
    return value < 1000 ? fmt::format("{:.0f}", value) : scaled(value / 1000, {"k", "M"}, 1000);
}

/// Characters on the screen: UTF-8's continuation bytes do not count.
std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

class text_writer {
public:
    text_writer(const results& measured, bool colours) : measured_(measured), colours_(colours) {
        for (const row& each : measured.rows)
            first_ = std::max(first_, each.about.name.size());
        for (const allocator& each : measured.allocators)
            each_ = std::max(each_, each.name.size() + 2);
    }

    std::string all() {
        if (measured_.rows.empty())
            return {};
        for (const metric& what : measured_.metrics())
            table(what);
        ebbs();
        threads();
        failures();
        overall();
        return std::move(text_);
    }

private:
    void put(std::string_view text, colour as = colour::none) {
        static constexpr const char* escapes[] = {"", "\x1b[32m", "\x1b[31m", "\x1b[2m"};
        if (colours_ && as != colour::none)
            text_ += fmt::format("{}{}\x1b[0m", escapes[static_cast<int>(as)], text);
        else
            text_ += text;
    }

    void left(std::string_view text, std::size_t columns) {
        put(text);
        text_.append(columns - std::min(columns, width(text)), ' ');
    }

    /// What is too long for its columns is still apart from what is before it.
    void right(std::string_view text, std::size_t columns, colour as = colour::none) {
        text_.append(columns - std::min(columns - 1, width(text)), ' ');
        put(text, as);
    }

    void title(const std::string& text) { text_ += fmt::format("{}\n\n", text); }

    void heading(std::string_view last) {
        left("", first_);
        for (const allocator& each : measured_.allocators)
            right(each.name, each_);
        right(last, noise_);
        text_ += '\n';
    }

    static colour colour_of(double ratio) {
        return ratio <= good_ratio ? colour::good : ratio > bad_ratio ? colour::bad : colour::none;
    }

    void table(const metric& what) {
        title(fmt::format("{}, median and its ratio to the best", what.title));
        heading("noise");
        for (const row& each : measured_.rows) {
            if (!what.of_all && what.value != nullptr &&
                std::ranges::none_of(each.cells, [&](const cell& one) { return one.has(what); }))
                continue;
            left(each.about.name, first_);
            if (each.unavailable.empty())
                cells(each, what);
            else
                put(fmt::format("  skipped: {}", each.unavailable), colour::faint);
            text_ += '\n';
        }
        text_ += '\n';
    }

    /// The last column is the widest noise of the row's ratios: how far they can be trusted.
    void cells(const row& shown, const metric& what) {
        const auto ratios = shown.ratios(what);
        const auto shares = shown.shares(what);
        std::optional<double> widest;
        for (std::size_t i = 0; i < shown.cells.size(); ++i) {
            if (!ratios[i]) {
                right(shown.cells[i].completed() ? "-" : "failed", each_,
                      shown.cells[i].completed() ? colour::faint : colour::bad);
                continue;
            }
            widest = std::max(widest, shares[i]->noise()); // nothing is less than any
            right(in_words(what, shown.cells[i].of(what).median), each_ - ratio_);
            right(fmt::format("{:.2f}", *ratios[i]), ratio_, colour_of(*ratios[i]));
        }
        right(widest ? fmt::format("±{:.0f}%", *widest * 100) : "?", noise_, colour::faint);
    }

    /// For each workload that idles, what was resident at which time, and by how much that is more than what
    /// was live then; the mappings before and after. All of the first run.
    void ebbs() {
        for (const row& each : measured_.rows) {
            const auto ran = std::ranges::find_if(
                each.cells, [](const cell& one) { return one.completed() && !one.runs[0].idle.rss.empty(); });
            if (ran == each.cells.end())
                continue;
            const idling& shown = ran->runs[0].idle;
            title(fmt::format(
                "{}: RSS while idling{}, {} live on pages of {}{}", each.about.name,
                shown.live > 0 ? " and its ratio to what is live" : "", in_bytes(shown.live),
                in_bytes(shown.least),
                shown.peak_live > 0 ? fmt::format(", after {} at the peak", in_bytes(shown.peak_live)) : ""));
            left("", first_);
            if (shown.peak_rss > 0)
                right("at the peak", ebb_ + ratio_);
            for (const auto& [ms, kib] : shown.rss)
                right(fmt::format("{} ms", ms), shown.live > 0 ? ebb_ + ratio_ : ebb_);
            right("mappings", ebb_ + ratio_);
            text_ += '\n';
            for (std::size_t i = 0; i < each.cells.size(); ++i) {
                if (!each.cells[i].completed())
                    continue;
                left(measured_.allocators[i].name, first_);
                ebb(each.cells[i].runs[0].idle);
                text_ += '\n';
            }
            text_ += '\n';
        }
    }

    void ebb(const idling& shown) {
        const auto resident = [&](double kib, double live) {
            right(in_bytes(kib), ebb_);
            if (live > 0)
                right(fmt::format("{:.2f}", kib / live), ratio_);
        };
        if (shown.peak_rss > 0)
            resident(shown.peak_rss, shown.peak_live);
        for (const auto& [ms, kib] : shown.rss)
            resident(kib, shown.live);
        right(fmt::format("{:.0f} -> {:.0f}", shown.mappings_before, shown.mappings), ebb_ + ratio_);
    }

    void threads() {
        const std::vector<scaling> list = scalings(measured_);
        if (list.empty())
            return;
        title("scaling: time per operation with the most threads / with the fewest");
        heading("");
        for (const scaling& each : list) {
            left(fmt::format("{} {}/{}", each.workload, each.most, each.fewest), first_);
            for (const std::optional<double>& ratio : each.ratios)
                right(ratio ? fmt::format("{:.2f}", *ratio) : "-", each_,
                      !ratio                 ? colour::faint
                      : *ratio > bad_scaling ? colour::bad
                                             : colour::none);
            text_ += '\n';
        }
        text_ += '\n';
    }

    void failures() {
        if (measured_.failures() == 0)
            return;
        title("failed");
        for (const row& each : measured_.rows)
            for (std::size_t i = 0; i < each.cells.size(); ++i)
                if (const std::string& reason = each.cells[i].failure; !reason.empty())
                    put(fmt::format("{} on {}: {}\n", each.about.name, measured_.allocators[i].name, reason),
                        colour::bad);
        text_ += '\n';
    }

    void overall() {
        const std::size_t count = compared(measured_);
        title(fmt::format("all together: {} of {} workloads, those that every allocator completed{}", count,
                          comparable(measured_),
                          measured_.interrupted ? "; interrupted before the end" : ""));
        heading("");
        for (const metric& what : measured_.metrics()) {
            const std::vector<standing> list = standings(measured_, what);
            if (list.empty())
                continue;
            const double best = std::ranges::min(list, {}, &standing::mean).mean;
            left(what.title, first_);
            for (const standing& each : list)
                right(fmt::format("{:.3f}", each.mean), each_,
                      each.mean == best ? colour::good : colour::none);
            text_ += "\n";
            left("  to the others", first_);
            for (const standing& each : list)
                right(each.to_others ? fmt::format("{:.3f}", *each.to_others) : "", each_);
            text_ += "\n";
            left("  at worst", first_);
            for (const standing& each : list)
                right(fmt::format("{:.2f}", each.worst), each_, colour_of(each.worst));
            text_ += "\n";
            left("  in", first_);
            for (const standing& each : list)
                right(each.worst_workload, each_, colour::faint);
            text_ += "\n";
        }
    }

    static constexpr std::size_t ratio_ = 8;
    static constexpr std::size_t noise_ = 8;
    static constexpr std::size_t ebb_ = 11;

    const results& measured_;
    const bool colours_;
    std::string text_;
    std::size_t first_ = 18; // width of the first column
    std::size_t each_ =
        9 + ratio_ + 3; // of one allocator's: a value, its ratio, a gap; also a workload's name
};

} // namespace

std::string text_report(const results& measured, bool colours) {
    return text_writer(measured, colours).all();
}

std::string text_report(const std::optional<comparison>& since) {
    if (!since)
        return "\nthe history has no session of such a machine, work and allocators to compare with\n";
    std::string text = fmt::format("\nsince {}, ratio to the best of the others: {}\n", since->since,
                                   since->changes.empty() ? "no change beyond the noise" : "");
    for (const change& each : since->changes)
        text += fmt::format("  {:<7} {:<24} {:<12} {:<20} {:.2f} -> {:.2f}\n",
                            each.now > each.before ? "worse" : "better", each.workload, each.allocator,
                            each.what->title, each.before, each.now);
    return text;
}

} // namespace lowtide::bench
