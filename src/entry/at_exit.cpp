#include "entry/at_exit.h"

#include "entry/heap.h"
#include "observe/text.h"
#include "os/environment.h"
#include "os/machine.h"
#include "os/show_file.h"
#include "os/text_file.h"

#include <cstdio>
#include <cstring>

namespace lowtide {

constinit destinations at_exit{};

bool is_own_number(std::string_view text) noexcept {
    size_t pid = 0;
    for (const char c : text) {
        if (c < '0' || c > '9')
            return false;
        pid = pid * 10 + static_cast<size_t>(c - '0');
    }
    return !text.empty() && pid == os::process_id();
}

void remember_destination(void* to, std::string_view value) noexcept {
    auto& where = *static_cast<destination*>(to);
    const size_t colon = value.find(':');
    if (colon == value.npos || !is_own_number({value.data(), colon}))
        return;
    value.remove_prefix(colon + 1);
    if (value.size() < sizeof(where.path))
        memcpy(where.path, value.data(), value.size());
    at_exit.process = os::process_id();
}

void remember_leaks() noexcept {
    os::with_variable(leaks_variable, remember_destination, &at_exit.leaks);
    os::with_variable(viewer_variable, remember_destination, &at_exit.viewer);
}

namespace {

void complain(std::string_view text) noexcept {
    os::write_all(2, text.data(), text.size());
}

void print_report(printer& out) noexcept {
    account a;
    the_heap.fill(a);
    out.print("lowtide {} report for process {}\n", LOWTIDE_VERSION, os::process_id());
    print_process(out);
    print_account(out, a);
}

void print_profile(printer& out) noexcept {
    static_cast<void>(the_heap.print_profile(out));
}

// What is written where, and what it is called.
void write(const destination& where, void (*print)(printer&) noexcept, std::string_view what) noexcept {
    if (where.path[0] == '\0' || at_exit.process != os::process_id())
        return;
    char message[128];
    printer complaint(message);
    const bool to_stderr = std::string_view(where.path) == "-";
    const int fd = to_stderr ? 2 : os::create_file(where.path);
    if (fd < 0) {
        complaint.print("lowtide: the {} can't be written: the file can't be opened\n", what);
        return complain(complaint.text());
    }
    if (!os::print_to(fd, print)) {
        complaint.print("lowtide: the {} is not complete: writing failed\n", what);
        complain(complaint.text());
    }
    if (!to_stderr)
        os::close_file(fd);
}

} // namespace

void write_at_exit() noexcept {
    write(at_exit.report, print_report, "report");
    write(at_exit.profile, print_profile, "profile");
}

namespace {

samples::leaks found_leaks;

void print_leaks(printer& out) noexcept {
    the_heap.print_leaks(out, found_leaks);
}

uint64_t rounded(double value) {
    return static_cast<uint64_t>(value + 0.5);
}

// Where nobody has asked for a file: the figures, and, where the command is known, what it makes of the rest.
void show_leaks() noexcept {
    char text[256];
    printer line(text);
    line.print("lowtide: process {} has leaked {} in {} objects{}", os::process_id(),
               byte_count{rounded(found_leaks.direct.bytes + found_leaks.indirect.bytes)},
               rounded(found_leaks.direct.objects + found_leaks.indirect.objects),
               the_heap.settings().sample > 1 ? ", estimated from samples" : "");
    const bool views = at_exit.viewer.path[0] != '\0' && at_exit.process == os::process_id();
    line.print("{}\n", views ? ":" : "; LOWTIDE_LEAKS and `lowtide run --leaks` say where from");
    complain(line.text());
    const int fd = views ? os::create_memory_file("leaks") : -1;
    if (fd >= 0 && os::print_to(fd, print_leaks) && !os::show_file(at_exit.viewer.path, fd))
        complain("lowtide: `lowtide profile` could not be started to show them\n");
}

} // namespace

void report_leaks() noexcept {
    if (!the_heap.find_leaks(found_leaks))
        return complain("lowtide: leaks can't be looked for: there is no memory for it, or no /proc\n");
    if (found_leaks.direct.objects + found_leaks.indirect.objects == 0)
        return;
    if (at_exit.leaks.path[0] == '\0' || std::string_view(at_exit.leaks.path) == "-" ||
        at_exit.process != os::process_id())
        show_leaks();
    else
        write(at_exit.leaks, print_leaks, "report of leaks");
    if (the_heap.settings().leak_exit != 0) {
        fflush(nullptr);
        os::exit_at_once(static_cast<int>(the_heap.settings().leak_exit));
    }
}

} // namespace lowtide
