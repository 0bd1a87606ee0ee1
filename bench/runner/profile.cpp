// See profile.h.
#include "runner/profile.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

namespace lowtide::bench {

namespace fs = std::filesystem;

namespace {

struct frame {
    std::string name;
    origin from;
};

/// The first and the last part of "NAME (FILE)". Both may have blanks and parentheses in them; a file with a
/// path is told by its slash.
std::pair<std::string_view, std::string_view> split(std::string_view text) {
    std::size_t open = text.find(" (/");
    if (open == std::string_view::npos)
        open = text.rfind(" (");
    if (open == std::string_view::npos)
        return {text, {}};
    std::string_view file = text.substr(open + 2);
    if (file.ends_with(')'))
        file.remove_suffix(1);
    constexpr std::string_view deleted = " (deleted)";
    if (file.ends_with(deleted))
        file.remove_suffix(deleted.size());
    return {text.substr(0, open), file};
}

/// "  7f5244a0381d operator delete (/tmp/lib.so)"; nothing if it is not of that form.
std::optional<frame> read_frame(std::string_view line, const fs::path& library) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    std::uint64_t address = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), address, 16);
    line.remove_prefix(static_cast<std::size_t>(end - line.data()));
    if (error != std::errc() || !line.starts_with(' '))
        return std::nullopt;
    const auto [name, file] = split(line.substr(1));
    // The upper half of the address space is the kernel's. Its modules have files of their own.
    const bool in_kernel = address >> 63 != 0;
    const fs::path object = fs::path(file).filename();
    const origin from = in_kernel                      ? origin::kernel
                        : object == library.filename() ? origin::allocator
                                                       : origin::program;
    if (name == "[unknown]" && object.has_filename() && !in_kernel && object != "[unknown]")
        return frame{'[' + object.string() + ']', from}; // its symbols were stripped
    return frame{std::string(name), from};
}

/// How a process and a thread begin. The unwinder reaches these or not, by chance: kept, they would tear what
/// is the same apart.
bool is_beginning(const frame& outermost) {
    const std::string& name = outermost.name;
    return name == "_start" || name == "start_thread" || name.ends_with("clone3") ||
           name.starts_with("__libc_start_");
}

call& callee(call& caller, const frame& which) {
    for (call& each : caller.callees)
        if (each.name == which.name && each.from == which.from)
            return each;
    return caller.callees.emplace_back(call{.name = which.name, .from = which.from});
}

/// `frames` has the innermost first.
void add(call& root, const std::string& thread, std::vector<frame> frames) {
    while (frames.size() > 1 && is_beginning(frames.back()))
        frames.pop_back();
    frames.push_back({thread, origin::program});
    const auto enters_kernel = [](const frame& inner, const frame& outer) {
        return inner.from == origin::kernel && outer.from != origin::kernel;
    };
    call* at = &root;
    ++at->samples;
    for (std::size_t i = frames.size(); i-- > 0;) {
        if (i + 1 < frames.size() && enters_kernel(frames[i], frames[i + 1])) {
            at = &callee(*at, {"[kernel]", origin::kernel});
            ++at->samples;
        }
        at = &callee(*at, frames[i]);
        ++at->samples;
    }
}

} // namespace

call fold(std::string_view script, const fs::path& library) {
    call root{.name = "all"};
    std::string thread;
    std::vector<frame> frames;
    for (std::size_t end; (end = script.find('\n')) != std::string_view::npos;
         script.remove_prefix(end + 1)) {
        const std::string_view line = script.substr(0, end);
        if (line.empty()) {
            if (!thread.empty())
                add(root, thread, std::exchange(frames, {}));
            thread.clear();
        } else if (line.front() != '\t') {
            thread = line.substr(0, line.find_last_not_of(' ') + 1);
            frames.clear();
        } else if (std::optional<frame> next = read_frame(line, library)) {
            frames.push_back(*std::move(next));
        }
    }
    return root;
}

} // namespace lowtide::bench
