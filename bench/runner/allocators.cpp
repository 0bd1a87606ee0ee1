// See allocators.h.
#include "runner/allocators.h"

#include "runner/errors.h"
#include "runner/key_values.h"
#include "runner/names.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lowtide::bench {

namespace fs = std::filesystem;

namespace {

constexpr seconds short_time{20};

struct peer {
    const char* name;
    const char* file;
    const char* package;
};

constexpr peer peers[] = {
    {"jemalloc", "libjemalloc.so.2", "libjemalloc2"},
    {"tcmalloc", "libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"},
    {"mimalloc", "libmimalloc.so.2.0", "libmimalloc2.0"},
};

bool same_file(const fs::path& a, const fs::path& b) {
    std::error_code none; // a file that is not there is not the same
    return fs::equivalent(a, b, none);
}

identity ask(const fs::path& workloads, const allocator* preloaded, const supervisor& processes) {
    launch question{.words = {workloads, "--identify"}};
    if (preloaded != nullptr)
        question.variables = preloaded->environment();
    const ended answer = processes.run(question, short_time);
    if (!answer.succeeded())
        throw run_failed(answer.reason());
    const key_values lines(answer.output);
    return {.malloc = lines.text("malloc"), .free = lines.text("free")};
}

std::string package_version(const char* package, const supervisor& processes) {
    const fs::path query = find_program("dpkg-query");
    if (query.empty())
        return {};
    const ended answer = processes.run({.words = {query, "-W", "-f", "${Version}", package}}, short_time);
    return answer.succeeded() ? answer.output : "";
}

allocator given(const std::string& text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
        throw usage_error(fmt::format("--alloc {}: expected NAME=PATH.so", text));
    return {.name = text.substr(0, equals), .file = fs::absolute(text.substr(equals + 1))};
}

/// Debian keeps its libraries where its libc is.
fs::path find_library(const fs::path& libc, const char* name) {
    for (const fs::path& directory :
         {libc.parent_path(), fs::path("/usr") / libc.parent_path().relative_path(),
          fs::path("/usr/local/lib")})
        if (fs::exists(directory / name))
            return directory / name;
    return {};
}

/// Copies the library, and sees to it that it is one and defines malloc.
void load(allocator& chosen, const fs::path& workloads, const supervisor& processes, scratch& where) {
    if (!fs::is_regular_file(chosen.file))
        throw usage_error(fmt::format("allocator {0}: no such file: {1} (--without {0} leaves it out)",
                                      chosen.name, chosen.file.string()));
    chosen.loaded = where.directory("allocator") / chosen.file.filename();
    fs::copy_file(chosen.file, chosen.loaded);
    fs::permissions(chosen.loaded, fs::perms{0755});
    try {
        verify(chosen, ask(workloads, &chosen, processes));
    } catch (const run_failed& problem) {
        throw usage_error(fmt::format("allocator {}: {} cannot be used: {}", chosen.name,
                                      chosen.file.string(), problem.what()));
    }
}

/// Gives each of the variables to the allocator that it is for.
void hand_out(const std::vector<std::string>& variables, std::vector<allocator>& list) {
    for (const std::string& text : variables) {
        const std::size_t colon = text.find(':');
        const std::size_t equals = text.find('=', colon == std::string::npos ? 0 : colon);
        if (equals == std::string::npos || colon == std::string::npos || equals == colon + 1)
            throw usage_error(fmt::format("--env {}: expected NAME:VARIABLE=VALUE", text));
        const auto meant = std::ranges::find(list, text.substr(0, colon), &allocator::name);
        if (meant == list.end())
            throw usage_error(fmt::format("--env {}: no such allocator; --list shows them", text));
        meant->variables[text.substr(colon + 1, equals - colon - 1)] = text.substr(equals + 1);
    }
}

/// Names that are left out must be there, or a slip of the finger costs the user a long run.
void leave_out(std::vector<allocator>& list, const std::vector<std::string>& names,
               const std::vector<std::string>& known) {
    for (const std::string& name : names)
        if (std::ranges::find(known, name) == known.end())
            throw usage_error(
                fmt::format("--without {}: no such allocator; there are {}", name, fmt::join(known, ", ")));
    std::erase_if(list,
                  [&](const allocator& each) { return std::ranges::find(names, each.name) != names.end(); });
}

} // namespace

std::map<std::string, std::string> allocator::environment() const {
    std::map<std::string, std::string> all = variables;
    if (!is_libc)
        all["LD_PRELOAD"] = loaded;
    return all;
}

void verify(const allocator& expected, const identity& found) {
    for (const auto& [symbol, object] : {std::pair("malloc", found.malloc), std::pair("free", found.free)})
        if (!same_file(expected.loaded, object))
            throw run_failed(
                fmt::format("{} comes from {}, not from {}", symbol, object, expected.file.string()));
}

allocator_list::allocator_list(const allocator_request& request, const fs::path& workloads,
                               const fs::path& lowtide, const supervisor& processes, scratch& where) {
    const fs::path libc = ask(workloads, nullptr, processes).malloc;
    if (!libc.filename().string().starts_with("libc."))
        throw usage_error(fmt::format("without a preloaded library, malloc comes from {}", libc.string()));

    all_.push_back({.name = "lowtide", .file = lowtide});
    all_.push_back({.name = "glibc",
                    .file = libc,
                    .loaded = libc,
                    .version = package_version("libc6", processes),
                    .is_libc = true});
    for (const peer& each : peers) {
        const fs::path file = find_library(libc, each.file);
        if (file.empty())
            missing_.push_back(fmt::format("{} (Debian package {})", each.name, each.package));
        else
            all_.push_back(
                {.name = each.name, .file = file, .version = package_version(each.package, processes)});
    }
    for (const std::string& text : request.added)
        all_.push_back(given(text));

    std::vector<std::string> known;
    for (const allocator& each : all_) {
        if (std::ranges::find(known, each.name) != known.end())
            throw usage_error(
                fmt::format("--alloc {}: there is an allocator of this name already", each.name));
        known.push_back(each.name);
    }
    for (const peer& each : peers) // leaving out what is not there anyway is fine
        if (std::ranges::find(known, each.name) == known.end())
            known.push_back(each.name);
    leave_out(all_, request.without, known);
    if (all_.empty())
        throw usage_error("no allocator is left");
    hand_out(request.variables, all_);
    for (allocator& each : all_)
        if (!each.is_libc)
            load(each, workloads, processes, where);
}

} // namespace lowtide::bench
