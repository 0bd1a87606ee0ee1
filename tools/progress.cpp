// See progress.h.
#include "progress.h"

#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>
#include <utility>

namespace lowtide::tools {

namespace {

using seconds = std::chrono::duration<double>;

constexpr seconds silence{2};
constexpr seconds between_changes{0.1}; // of the line on a terminal
constexpr seconds between_lines{30};

std::string in_words(double left) {
    return left < 90 ? fmt::format("{:.0f} s", left) : fmt::format("{:.0f} min", left / 60);
}

} // namespace

progress::progress(std::string unit, std::size_t total)
    : unit_(std::move(unit)), terminal_(isatty(STDERR_FILENO) != 0), total_(total) {}

progress::~progress() {
    clear();
}

void progress::next(const std::string& what) {
    const clock::time_point now = clock::now();
    const double passed = seconds(now - begin_).count();
    const std::size_t before = done_++;
    if (now - begin_ < silence || (shown_ && now - told_ < (terminal_ ? between_changes : between_lines)))
        return;
    clear();
    const double left = passed / static_cast<double>(before) * static_cast<double>(total_ - before);
    const std::string line =
        fmt::format("{} {} of {}, about {} left: {}", unit_, done_, total_, in_words(left), what);
    if (terminal_)
        fmt::print(stderr, "{:.79}", line);
    else
        fmt::print(stderr, "{}\n", line);
    std::fflush(stderr);
    told_ = now;
    shown_ = true;
}

void progress::say(const std::string& line) {
    clear();
    fmt::print(stderr, "{}\n", line);
}

void progress::clear() {
    if (terminal_ && shown_)
        fmt::print(stderr, "\r\x1b[K");
}

} // namespace lowtide::tools
