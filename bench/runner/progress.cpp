// See progress.h.
#include "runner/progress.h"

#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

namespace lowtide::bench {

namespace {

using seconds = std::chrono::duration<double>;

constexpr seconds silence{2};
constexpr seconds between_lines{30};

std::string in_words(double left) {
    return left < 90 ? fmt::format("{:.0f} s", left) : fmt::format("{:.0f} min", left / 60);
}

} // namespace

progress::progress(std::size_t runs) : terminal_(isatty(STDERR_FILENO) != 0), total_(runs) {}

progress::~progress() {
    clear();
}

void progress::next(const std::string& what) {
    const clock::time_point now = clock::now();
    const double passed = seconds(now - begin_).count();
    const std::size_t before = done_++;
    if (seconds(now - begin_) < silence || (!terminal_ && shown_ && now - told_ < between_lines))
        return;
    clear();
    const double left = passed / static_cast<double>(before) * static_cast<double>(total_ - before);
    const std::string line =
        fmt::format("run {} of {}, about {} left: {}", done_, total_, in_words(left), what);
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

} // namespace lowtide::bench
