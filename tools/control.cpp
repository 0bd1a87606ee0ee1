// Asking a running process: see control.h.
#include "control.h"

#include "base/options.h"
#include "entry/mailbox.h"
#include "errors.h"
#include "in_units.h"
#include "letter.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <vector>

namespace lowtide::tools {

namespace {

volatile std::sig_atomic_t interrupted = 0;

/// As long as it exists, the signals that would end the command are only noted: a request has to be
/// withdrawn.
class noted_signals {
public:
    noted_signals() {
        set([](int which) { interrupted = which; });
    }
    ~noted_signals() { set(SIG_DFL); }
    noted_signals(const noted_signals&) = delete;
    noted_signals& operator=(const noted_signals&) = delete;

private:
    static void set(void (*action)(int)) {
        for (const int each : {SIGINT, SIGTERM, SIGHUP})
            std::signal(each, action);
    }
};

/// The answer as the process wrote it.
std::string ask(const asked_process& of, const std::string& request, double seconds) {
    using clock = std::chrono::steady_clock;
    const noted_signals noted;
    give_up_rights(of);
    const letter sent(of, request);
    of.summon();
    const auto until = clock::now() + std::chrono::duration<double>(seconds);
    do {
        if (const auto text = sent.answer())
            return *text;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    } while (clock::now() < until && interrupted == 0 && !of.has_ended());
    if (const auto text = sent.answer())
        return *text;
    throw user_error(interrupted != 0 ? "interrupted; the request is withdrawn" : of.silence());
}

/// What can't be set is said before anything is asked.
void check_options(const std::string& entries) {
    std::vector<std::string> problems;
    options scratch;
    scratch.parse(entries, option_source::command,
                  {[](void* into, std::string_view line) noexcept {
                       static_cast<std::vector<std::string>*>(into)->emplace_back(line);
                   },
                   &problems});
    for (std::string& line : problems) {
        if (line.starts_with("lowtide: "))
            line.erase(0, std::string_view("lowtide: ").size());
        line.resize(std::min(line.rfind("; using "), line.size())); // as if it were set at the start
    }
    if (problems.empty() && std::ranges::count(scratch.sources, option_source::command) == 0)
        throw user_error("set: no option is given");
    if (!problems.empty())
        throw user_error(fmt::format("{}; nothing was set", fmt::join(problems, "; ")));
    if (entries.find('\n') != entries.npos || entries.size() > max_mail / 2)
        throw user_error("the options have to be on one line, and fewer; nothing was set");
}

/// Why the process has refused what only some versions know, if it has.
std::optional<std::string> refusal_of(int id, const std::string& text, const std::string& what) {
    const answer got = understand(text);
    if (got.refused.empty())
        return std::nullopt;
    const std::string& why = got.refused.front();
    if (why.starts_with(what + ": "))
        return why.substr(what.size() + 2);
    throw user_error(fmt::format("process {} is on a version of Lowtide that has no {}s", id, what));
}

} // namespace

void control(const control_request& request) {
    if (!request.options.empty())
        check_options(request.options);
    const asked_process asked(request.process);
    const std::uint64_t before = asked.resident_bytes();
    const answer got =
        understand(ask(asked, request.options.empty() ? "trim" : "set " + request.options, request.wait));
    const std::uint64_t after = asked.resident_bytes();
    if (!got.refused.empty())
        throw user_error(fmt::format("process {}: {}", request.process, fmt::join(got.refused, "; ")));
    if (request.json) {
        const nlohmann::ordered_json facts = {{"process", request.process},
                                              {"returned_bytes", got.returned},
                                              {"held_bytes", got.held},
                                              {"resident_bytes_before", before},
                                              {"resident_bytes", after}};
        fmt::print("{}\n", facts.dump(2));
        return;
    }
    fmt::print("process {}: {} returned; {} resident, {} before\n", request.process, in_units(got.returned),
               in_units(after), in_units(before));
}

std::string ask_for_profile(int id, double wait) {
    std::string text = ask(asked_process(id), "profile", wait);
    const std::optional<std::string> refusal = refusal_of(id, text, "profile");
    if (!refusal)
        return text.erase(0, answer_greeting.size());
    throw user_error(fmt::format("process {}: {}; `lowtide set {} sample:512K` switches sampling on, and so "
                                 "does LOWTIDE_CONF=sample:512K at the start",
                                 id, *refusal, id));
}

std::string ask_for_account(int id, const std::string& format, double wait) {
    std::string text = ask(asked_process(id), "account " + format, wait);
    if (const auto refusal = refusal_of(id, text, "account"))
        throw user_error(fmt::format("process {}: {}", id, *refusal));
    text.erase(0, answer_greeting.size());
    text.resize(text.size() - std::string_view("end\n").size());
    return text;
}

} // namespace lowtide::tools
