// The lowtide command: its arguments. What the subcommands do is in the other files.
#include "arguments.h"
#include "completion.h"
#include "control.h"
#include "doctor.h"
#include "errors.h"
#include "profile/command.h"
#include "run.h"
#include "show_options.h"
#include "stat.h"
#include "top/command.h"

#ifdef LOWTIDE_HAVE_BENCH
#include "bench/command.h"
#endif

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fmt/format.h>
#include <limits>
#include <memory>
#include <system_error>

namespace {

using namespace lowtide::tools;

/// `lowtide run`'s own arguments end before the program's, whatever those look like: where they end. The
/// program follows, perhaps with a -- in front of it.
std::vector<std::string>::const_iterator end_of_own(const std::vector<std::string>& arguments) {
    if (arguments.empty() || arguments.front() != "run")
        return arguments.end();
    auto at = arguments.begin() + 1;
    for (; at != arguments.end() && *at != "--" && at->starts_with('-'); ++at)
        if ((*at == "--conf" || *at == "--profile") && at + 1 != arguments.end())
            ++at; // its value
    return at;
}

std::vector<std::string>::const_iterator behind_dashes(std::vector<std::string>::const_iterator at,
                                                       const std::vector<std::string>& arguments) {
    return at != arguments.end() && *at == "--" ? at + 1 : at;
}

/// Takes the program's arguments away from the own.
std::vector<std::string> take_program(std::vector<std::string>& arguments) {
    const auto at = end_of_own(arguments);
    // CLI11 would take it for --report: most likely the name was an empty variable
    for (const char* unnamed : {"--report=", "--leaks="})
        if (!arguments.empty() && arguments.front() == "run" &&
            std::find(arguments.cbegin(), at, unnamed) != at)
            throw user_error(fmt::format("{} needs the name of a file", unnamed));
    const auto program = behind_dashes(at, arguments);
    std::vector<std::string> command(program, arguments.cend());
    arguments.erase(at, arguments.end());
    return command;
}

#ifdef LOWTIDE_HAVE_BENCH
std::vector<candidate> workloads_and_meanings(const std::string&) {
    std::vector<candidate> found;
    for (auto& [name, about] : workloads_of_bench())
        found.push_back({name, about});
    return found;
}
#endif

/// `lowtide --complete WORD…`, for the shells: see completion.h. A line ":program N" says that the words from
/// the Nth on are another program's command line.
void complete(const CLI::App& app, const std::vector<std::string>& words) {
    const auto program = behind_dashes(end_of_own(words), words);
    if (program != words.end()) {
        fmt::print(":program {}\n", program - words.begin());
        return;
    }
    print_candidates(app, words,
                     {
                         {"PID", processes_on_lowtide},
                         {"OPTIONS", option_settings},
                         {"--conf", option_settings},
#ifdef LOWTIDE_HAVE_BENCH
                         {"PATTERN", workloads_and_meanings},
#endif
                     });
}

/// CLI11 does not know of the program, which it never sees.
class run_help : public CLI::Formatter {
    std::string make_usage(const CLI::App*, std::string) const override {
        return "Usage: lowtide run [OPTIONS] [--] PROGRAM [ARGUMENTS...]\n";
    }

    std::string make_option_name(const CLI::Option* option, bool positional) const override {
        const std::string name = CLI::Formatter::make_option_name(option, positional);
        return name.substr(0, name.find('{')); // without what a flag stands for where it has no value
    }
};

void add_run(CLI::App& app, run_request& request, int& exit_code) {
    CLI::App* run_command = app.add_subcommand("run", "Start a program on Lowtide, in place of this process");
    run_command->formatter(std::make_shared<run_help>());
    run_command
        ->add_flag("--report{-}", request.report,
                   "Account for the memory when the program ends, on stderr or in a file")
        ->option_text("[=FILE]");
    run_command
        ->add_option("--profile", request.profile,
                     "Write a heap profile to a file when the program ends; lowtide profile FILE shows it")
        ->type_name("FILE");
    run_command
        ->add_flag("--leaks{-}", request.leaks,
                   "Say what has leaked when the program ends, on stderr, or in a file for lowtide profile")
        ->option_text("[=FILE]");
    run_command->add_option("--conf", request.configuration, "Options as in LOWTIDE_CONF: key:value,...");
    run_command->add_flag("--force", request.force, "Start the program even if it will not run on Lowtide");
    run_command->callback([&] {
        if (request.command.empty())
            throw CLI::RequiredError("run: a program");
        exit_code = run(request);
    });
    run_command->footer(
        "Exits with 125 if Lowtide could not start the program, 126 if the program cannot be\n"
        "executed, 127 if it is not found; otherwise the exit code is the program's own.");
}

void add_doctor(CLI::App& app, bool& json) {
    CLI::App* doctor = app.add_subcommand("doctor", "Explain this machine and what it means for Lowtide");
    doctor->add_flag("--json", json, "Print JSON");
    doctor->callback([&] { print_facts(examine_machine("/"), json); });
}

void add_options(CLI::App& app, bool& json) {
    CLI::App* list =
        app.add_subcommand("options", "List the options, their values and where those come from");
    list->add_flag("--json", json, "Print JSON");
    list->footer("Set them in LOWTIDE_CONF=key:value,key:value or, one a line, in /etc/lowtide.conf.\n"
                 "LOWTIDE_CONF counts above the file; neither is read by a set-user-ID program.");
    list->callback([&] {
        print_options(options_in_effect(lowtide::option_file, std::getenv(lowtide::option_variable.data())),
                      json);
    });
}

void add_process(CLI::App& command, control_request& request) {
    command.add_option("PID", request.process, "The process")
        ->required()
        ->check(CLI::Range(1, std::numeric_limits<int>::max()));
    add_wait(command, request.wait);
    command.add_flag("--json", request.json, "Print JSON");
    command.footer(
        "The process has to be of the same user. One that has threads hears within 0.2 s, one that has not\n"
        "at its next slow call to the allocator. Exits with 125 if it could not be asked, or did not\n"
        "answer.");
}

void add_control(CLI::App& app, control_request& request) {
    CLI::App* trim = app.add_subcommand("trim", "Have a running process give back all memory that is free");
    add_process(*trim, request);
    trim->callback([&] { control(request); });
    CLI::App* set = app.add_subcommand("set", "Change options of a running process");
    add_process(*set, request);
    set->add_option("OPTIONS", request.options, "key:value,... as in LOWTIDE_CONF")->required();
    set->callback([&] {
        if (request.options.empty()) // that would be trim
            throw user_error("set: no option is given");
        control(request);
    });
}

int run_command_line(std::vector<std::string> arguments) {
    CLI::App app("Lowtide: a memory allocator that gives memory back");
    app.name("lowtide");
    app.set_version_flag("--version", "lowtide " LOWTIDE_VERSION);
    app.require_subcommand(0, 1); // a misspelt one is said to be unexpected, and not to be missing
    app.failure_message([](const CLI::App*, const CLI::Error& error) {
        return fmt::format("lowtide: {} (--help explains)\n", error.what());
    });

    int exit_code = 0;
    bool json = false;
    run_request request;
    control_request to_process;
    request.command = take_program(arguments);
    add_run(app, request, exit_code);
    add_doctor(app, json);
    add_options(app, json);
    add_control(app, to_process);
    add_profile_commands(app);
    add_stat_command(app);
    add_top_command(app);
#ifdef LOWTIDE_HAVE_BENCH
    add_bench_command(app, exit_code);
#endif

    if (!arguments.empty() && arguments.front() == "--complete") {
        complete(app, {arguments.begin() + 1, arguments.end()});
        return exit_code;
    }
    try {
        std::reverse(arguments.begin(), arguments.end()); // as CLI11 takes them
        app.parse(arguments);
        if (app.get_subcommands().empty())
            throw CLI::CallForHelp();
    } catch (const CLI::Success& asked) { // --help, --version
        return app.exit(asked);
    } catch (const CLI::Error& error) {
        app.exit(error);
        return exit_not_started;
    }
    return exit_code;
}

/// What was printed and never arrived must not look like success.
void finish_output() {
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
        throw std::system_error(errno, std::generic_category(), "standard output");
}

} // namespace

int main(int argc, char** argv) {
    try {
        const int exit_code = run_command_line({argv + 1, argv + argc});
        if (exit_code == 0)
            finish_output();
        return exit_code;
    } catch (const std::exception& error) {
        fmt::print(stderr, "lowtide: {}\n", error.what());
        return exit_not_started;
    }
}
