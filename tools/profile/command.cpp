// See command.h.
#include "profile/command.h"

#include "profile/file.h"
#include "profile/folded.h"
#include "profile/gzip.h"
#include "profile/pprof.h"
#include "profile/raw.h"
#include "profile/symbolizer.h"
#include "profile/writers.h"
#include "tools/arguments.h"
#include "tools/control.h"
#include "tools/errors.h"
#include "tools/text_file.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <limits>
#include <memory>

namespace lowtide::tools {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t rows_of_text = 10;

struct profile_request {
    std::string subject; // of `profile`: a file or a process
    std::string before;  // of `diff`: files
    std::string after;
    std::string output; // a file; empty for standard output
    std::optional<file_format> format;
    quantity value = quantity::in_use_bytes;
    bool objects = false;
    std::optional<std::size_t> limit;
    double wait = 5;
};

file_format output_format(const profile_request& request) {
    if (request.format)
        return *request.format;
    if (request.output.empty())
        return file_format::text;
    if (const auto by_name = format_of(request.output))
        return *by_name;
    throw user_error(fmt::format("{}: the name doesn't tell the format; --format does", request.output));
}

quantity shown_of(const profile_request& request) {
    if (!request.objects)
        return request.value;
    if (request.value == quantity::pinned_bytes)
        throw user_error("--objects: of pinned memory only the bytes are known");
    return static_cast<quantity>(static_cast<std::size_t>(request.value) - 1);
}

/// Opened before the work, so that what can't be written is said first.
std::unique_ptr<output_file> open_output(const profile_request& request) {
    auto out = std::make_unique<output_file>(request.output);
    if (output_format(request) == file_format::pprof && out->is_terminal())
        throw user_error("pprof's format isn't for a terminal: -o FILE.pb.gz");
    return out;
}

bool is_process(const std::string& subject) {
    return !subject.empty() && subject.find_first_not_of("0123456789") == subject.npos;
}

/// Where the process finds its files.
fs::path root_of(int pid) {
    const fs::path its_own = fmt::format("/proc/{}/root", pid);
    std::error_code error;
    return fs::equivalent(its_own, "/", error) || error ? fs::path("/") : its_own;
}

heap_profile profile_of_process(const std::string& number, double wait) {
    const auto pid = to_number(number);
    if (!pid || *pid == 0 || *pid > static_cast<std::uint64_t>(std::numeric_limits<int>::max()))
        throw user_error(fmt::format("there is no process {} (a file of this name is ./{})", number, number));
    const int id = static_cast<int>(*pid);
    heap_profile result = read_raw(ask_for_profile(id, wait), fmt::format("process {}", id));
    symbolize(result, root_of(id));
    return result;
}

heap_profile profile_of_file(const std::string& file) {
    heap_profile result = read_profile(file);
    symbolize(result, "/");
    return result;
}

void keep_largest(heap_profile& profile, quantity q, std::size_t limit) {
    std::ranges::stable_sort(profile.sites, std::greater(), [q](const site& s) { return s.amount[q]; });
    if (limit != 0 && limit < profile.sites.size())
        profile.sites.resize(limit);
}

std::string write(report of, file_format format, std::optional<std::size_t> limit) {
    if (format != file_format::json) // which has the other quantities as well
        leave_out_unchanged(of.folded, of.shown);
    sort_by_growth(of.folded, of.shown, format == file_format::text ? 0 : limit.value_or(0));
    switch (format) {
    case file_format::collapsed:
        return write_collapsed(of);
    case file_format::speedscope:
        return write_speedscope(of);
    case file_format::json:
        return write_json(of);
    default:
        return write_text(of, limit.value_or(rows_of_text));
    }
}

void profile(const profile_request& request) {
    const file_format format = output_format(request);
    const quantity shown = shown_of(request);
    const auto out = open_output(request);
    heap_profile subject = is_process(request.subject) ? profile_of_process(request.subject, request.wait)
                                                       : profile_of_file(request.subject);
    if (subject.sites.empty())
        throw user_error(fmt::format("{}: it has no samples", request.subject));
    keep_largest(subject, shown,
                 format == file_format::pprof || format == file_format::raw ? request.limit.value_or(0) : 0);
    if (format == file_format::pprof)
        return out->write(gzip(write_pprof(subject, shown)));
    if (format == file_format::raw)
        return out->write(write_raw(subject));
    const bool with_lines = format == file_format::text || format == file_format::json;
    out->write(write({subject, nullptr, fold(subject, with_lines ? detail::lines : detail::functions), shown},
                     format, request.limit));
}

void diff(const profile_request& request) {
    const file_format format = output_format(request);
    const quantity shown = shown_of(request);
    const auto out = open_output(request);
    if (format == file_format::raw)
        throw user_error("a difference has no raw form");
    const heap_profile before = profile_of_file(request.before);
    const heap_profile after = profile_of_file(request.after);
    folded_profile both = fold(before, after);
    if (format != file_format::pprof)
        return out->write(write({after, &before, std::move(both), shown}, format, request.limit));
    sort_by_growth(both, shown, request.limit.value_or(0));
    heap_profile growth = growth_of(both);
    growth.program = after.program;
    growth.pid = after.pid;
    growth.began_ns = before.taken_ns;
    growth.taken_ns = after.taken_ns;
    growth.rate = after.rate;
    out->write(gzip(write_pprof(growth, shown)));
}

/// Replaces a name by what it stands for.
template <class Value>
CLI::Validator one_of(const std::map<std::string, Value>& values) {
    return {[&values](std::string& text) -> std::string {
                const auto found = values.find(text);
                if (found == values.end()) {
                    std::string names;
                    for (const auto& [name, value] : values)
                        names.append(names.empty() ? "" : ", ").append(name);
                    return fmt::format("'{}' is none of {}", text, names);
                }
                text = std::to_string(static_cast<std::size_t>(found->second));
                return "";
            },
            ""};
}

void add_output(CLI::App& command, profile_request& request) {
    static const std::map<std::string, quantity> values = {{"in-use", quantity::in_use_bytes},
                                                           {"allocated", quantity::allocated_bytes},
                                                           {"peak", quantity::peak_bytes},
                                                           {"pinned", quantity::pinned_bytes}};
    command
        .add_option("-o,--output", request.output,
                    "Write to this file, in the format that its name ends with")
        ->option_text("FILE");
    command.add_option("--format", request.format, "text, pprof, collapsed, speedscope, json or raw")
        ->option_text("FORMAT")
        ->transform(one_of(file_formats()));
    command.add_option("--value", request.value, "in-use (the default), allocated, peak or pinned")
        ->option_text("VALUE")
        ->transform(one_of(values));
    command.add_flag("--objects", request.objects, "Count objects, not bytes");
    command.add_option("--limit", request.limit, "Only the N largest (0: all; text: 10 if not given)")
        ->option_text("N");
    command.footer(
        "Names of files end with .txt, .pb.gz, .collapsed or .folded, .speedscope.json, .json, .raw.\n"
        "Exits with 125 if there is nothing to show, or it could not be read or written.");
}

} // namespace

void add_profile_commands(CLI::App& app) {
    const auto request = std::make_shared<profile_request>(); // the callbacks keep it
    CLI::App* one = app.add_subcommand("profile", "Show where a program's memory was allocated");
    one->add_option("PROFILE", request->subject, "A file, or the id of a running process that takes samples")
        ->required()
        ->option_text("FILE|PID");
    add_wait(*one, request->wait);
    add_output(*one, *request);
    one->callback([request] { profile(*request); });
    CLI::App* two = app.add_subcommand("diff", "Show what has grown from one profile to another");
    two->add_option("BEFORE", request->before, "A file with the earlier profile")->required();
    two->add_option("AFTER", request->after, "A file with the later profile")->required();
    add_output(*two, *request);
    two->callback([request] { diff(*request); });
}

} // namespace lowtide::tools
