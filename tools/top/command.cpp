// See command.h. The keys are top(1)'s where it has them.
#include "top/command.h"

#include "tools/arguments.h"
#include "tools/errors.h"
#include "top/lines.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <limits>
#include <memory>
#include <ncurses.h>
#include <thread>
#include <unistd.h>

namespace lowtide::tools {

namespace {

struct top_request {
    std::vector<int> processes;
    bool batch = false;
    bool json = false;
    std::size_t count = 0; // 0: until it is ended
    double delay = 2;
};

constexpr double first_delay = 0.4; // until the first answers are there

void sleep_for(double seconds) {
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

void print_once(const top_request& request, std::vector<process_sample> samples) {
    if (request.json) {
        fmt::print("{}\n", json_of(samples));
    } else {
        sort(samples, order::resident);
        fmt::print("{}\n", heading());
        for (const process_sample& one : samples)
            fmt::print("{}\n", line_of(one));
        if (request.processes.size() == 1 && samples.size() == 1) {
            fmt::print("\n");
            for (const std::string& line : detail_of(samples.front(), 120, 0))
                fmt::print("{}\n", line);
        }
        fmt::print("\n");
    }
    if (std::fflush(stdout) != 0)
        throw user_error("standard output can't be written");
}

void run_in_batches(const top_request& request) {
    observer all(request.processes);
    static_cast<void>(all.look());
    sleep_for(first_delay);
    for (std::size_t i = 0;;) {
        const std::vector<process_sample> samples = all.look();
        if (samples.empty() && !request.processes.empty())
            throw user_error("there is no such process any more");
        print_once(request, samples);
        if (++i == request.count)
            return;
        sleep_for(request.delay);
    }
}

volatile std::sig_atomic_t ended_by = 0;

/// The terminal, which is as it was afterwards, however the command ends.
class screen {
public:
    screen() {
        std::setlocale(LC_CTYPE, "");
        if (initscr() == nullptr)
            throw user_error("the terminal can't be used; -b prints");
        cbreak();
        noecho();
        keypad(stdscr, TRUE);
        curs_set(0);
        for (const int each : {SIGTERM, SIGHUP, SIGINT})
            std::signal(each, [](int which) { ended_by = which; });
    }
    ~screen() { endwin(); }
    screen(const screen&) = delete;
    screen& operator=(const screen&) = delete;

    std::size_t columns() const { return static_cast<std::size_t>(std::max(2, COLS)); }
    std::size_t lines() const { return static_cast<std::size_t>(std::max(1, LINES)); }
    void clear() { erase(); }
    /// All of it is drawn anew, whatever was there.
    void forget() { clearok(stdscr, TRUE); }
    void put(std::size_t line, const std::string& text, bool strong = false) {
        if (line >= lines())
            return;
        if (strong)
            attron(A_REVERSE);
        mvaddnstr(static_cast<int>(line), 0, text.c_str(), static_cast<int>(columns()) - 1);
        if (strong)
            attroff(A_REVERSE);
    }
    void show() { refresh(); }
    /// A key, or ERR after so long.
    int key(int ms) {
        timeout(ms);
        return getch();
    }
};

/// What `lowtide profile` says of a process; a command of its own, for it may have to take that one's rights.
std::vector<std::string> stacks_of(int id) {
    const std::string command = fmt::format("/proc/{}/exe profile {} --limit 8 2>&1", getpid(), id);
    std::vector<std::string> lines;
    FILE* const output = popen(command.c_str(), "r");
    if (output == nullptr)
        return {"`lowtide profile` could not be started"};
    char text[1024];
    while (std::fgets(text, sizeof(text), output) != nullptr) {
        std::string line = text;
        std::erase_if(line, [](unsigned char c) { return c < ' ' || c == 0x7f; });
        lines.push_back(line);
    }
    pclose(output);
    return lines;
}

constexpr const char* keys[] = {
    "Keys:",
    "  q                 ends it",
    "  M L F R P         sorts by what is resident, live, free, returned now, by the number of the process",
    "  up, down          chooses a process;  Enter  shows it alone, with its size classes",
    "  s                 shows which stacks have allocated what it has (lowtide profile)",
    "  d                 refreshes twice as often;  D  half as often",
    "  h, ?              shows this;  Esc, backspace  goes back",
    "",
    "RESIDENT and GROWTH are the kernel's; LIVE is what the program holds, CACHED what magazines and depots "
    "have, FREE",
    "what is free in slabs and runs and may be in memory, RETURNED what has been given back, in all and now "
    "(RATE).",
};

class interactive {
public:
    explicit interactive(const top_request& request)
        : all_(request.processes), delay_(request.delay), alone_(request.processes.size() == 1) {}

    void run() {
        look();
        for (double wait = first_delay; ended_by == 0;) {
            draw();
            const int key = screen_.key(static_cast<int>(wait * 1000));
            if (key == ERR) {
                look();
                wait = delay_;
            } else if (!handle(key)) {
                return;
            }
        }
    }

private:
    enum class view { list, detail, stacks, help };

    void look() {
        samples_ = all_.look();
        sort(samples_, by_);
    }
    std::size_t chosen() const {
        for (std::size_t i = 0; i < samples_.size(); ++i)
            if (samples_[i].id == chosen_)
                return i;
        return 0;
    }
    void choose(std::size_t index) {
        if (index < samples_.size())
            chosen_ = samples_[index].id;
    }

    void draw() {
        screen_.clear();
        if (view_ != drawn_)
            screen_.forget();
        drawn_ = view_;
        screen_.put(
            0, fmt::format("lowtide top: {} processes, every {:.2g} s; h for help", samples_.size(), delay_));
        std::vector<std::string> text;
        if (view_ == view::help)
            text.assign(std::begin(keys), std::end(keys));
        else if (view_ == view::stacks)
            text = stacks_;
        else if ((view_ == view::detail || alone_) && !samples_.empty())
            text = detail_of(samples_[chosen()], screen_.columns(), screen_.lines() - 2);
        else
            return draw_list();
        std::size_t line = 2;
        for (const std::string& each : text) // none is cut off
            for (std::size_t at = 0; at == 0 || at < each.size(); at += screen_.columns() - 1)
                screen_.put(line++, each.substr(at));
        screen_.show();
    }
    void draw_list() {
        screen_.put(2, heading(), true);
        const std::size_t rows = screen_.lines() > 3 ? screen_.lines() - 3 : 0;
        const std::size_t at = chosen();
        const std::size_t first = at < rows ? 0 : at - rows + 1;
        for (std::size_t i = 0; i < rows && first + i < samples_.size(); ++i)
            screen_.put(i + 3, line_of(samples_[first + i]), first + i == at);
        if (samples_.empty())
            screen_.put(3, "No process of yours is on Lowtide: lowtide run -- PROGRAM starts one.");
        screen_.show();
    }

    /// False: it ends.
    bool handle(int key) {
        switch (key) {
        case 'q':
            return false;
        case 'h':
        case '?':
            view_ = view::help;
            break;
        case 27:
        case KEY_BACKSPACE:
        case 127:
            view_ = view::list;
            break;
        case '\n':
        case KEY_ENTER:
            view_ = view::detail;
            break;
        case 's':
            if (!samples_.empty()) {
                stacks_ = stacks_of(samples_[chosen()].id);
                view_ = view::stacks;
            }
            break;
        case KEY_UP:
            choose(chosen() == 0 ? 0 : chosen() - 1);
            break;
        case KEY_DOWN:
            choose(chosen() + 1);
            break;
        case KEY_RESIZE:
            screen_.forget();
            break;
        case 'd':
            delay_ = std::max(0.25, delay_ / 2);
            break;
        case 'D':
            delay_ = std::min(60.0, delay_ * 2);
            break;
        default:
            choose_order(key);
        }
        return true;
    }
    void choose_order(int key) {
        constexpr std::pair<int, order> orders[] = {{'M', order::resident},
                                                    {'L', order::live},
                                                    {'F', order::waste},
                                                    {'R', order::returned},
                                                    {'P', order::id}};
        for (const auto& [of, by] : orders)
            if (key == of)
                by_ = by;
        sort(samples_, by_);
    }

    observer all_;
    screen screen_;
    double delay_;
    bool alone_;
    view view_ = view::list;
    view drawn_ = view::list;
    order by_ = order::resident;
    int chosen_ = 0;
    std::vector<process_sample> samples_;
    std::vector<std::string> stacks_;
};

void top(const top_request& request) {
    for (const int id : request.processes)
        live_view(id).has_ended(); // says who isn't there, or may not be asked
    if (request.batch || request.json || request.count != 0 || isatty(STDOUT_FILENO) == 0)
        return run_in_batches(request);
    interactive(request).run();
    if (ended_by != 0) {
        std::signal(ended_by, SIG_DFL);
        std::raise(ended_by);
    }
}

} // namespace

void add_top_command(CLI::App& app) {
    const auto request = std::make_shared<top_request>();
    CLI::App* command = app.add_subcommand("top", "Show the processes on Lowtide, live");
    command->add_option("PID", request->processes, "Only these; one alone is shown with its size classes")
        ->check(CLI::Range(1, std::numeric_limits<int>::max()));
    command->add_flag("-b,--batch", request->batch, "Print, as is done where standard output is no terminal");
    command->add_option("-n,--count", request->count, "Print so many times, and end")
        ->option_text("N")
        ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000'000}));
    check_seconds(*command->add_option("-d,--delay", request->delay, "Seconds between two times")
                       ->option_text("SECONDS"),
                  0.1, 3600);
    command->add_flag("--json", request->json, "Print JSON, one object a line each time");
    command->footer("Processes of other users are shown to root. Keys: h explains them.");
    command->callback([request] { top(*request); });
}

} // namespace lowtide::tools
