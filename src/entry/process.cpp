// What happens once in the life of a process: at its start what `lowtide run` asked to verify, in a child of
// fork the next generation of locks, at the end that of the background thread, and the report. The allocator
// itself needs none of it to work.
#include "entry/background.h"
#include "entry/fast_path.h"
#include "entry/heap.h"
#include "observe/text.h"
#include "os/environment.h"
#include "os/generation.h"
#include "os/machine.h"
#include "os/text_file.h"

#include <cstdlib>
#include <cstring>
#include <pthread.h>

namespace lowtide {

namespace {

// Where something goes at the end: set by VARIABLE=<pid>:<path>, "-" for standard error. Empty: it isn't
// wanted. Children that this process forks have the paths too, but not the number.
struct destination {
    char path[4096];
};
destination the_report;
destination the_profile;
constexpr std::string_view verify_variable = "LOWTIDE_VERIFY"; // its value is the process
constexpr std::string_view report_variable = "LOWTIDE_REPORT";
constexpr std::string_view profile_variable = "LOWTIDE_PROFILE";
size_t writing_process = 0;

// Is `text` a decimal number, followed by `after` or the end, that is this process's id?
bool is_own_pid(std::string_view text) {
    size_t pid = 0;
    for (const char c : text) {
        if (c < '0' || c > '9')
            return false;
        pid = pid * 10 + static_cast<size_t>(c - '0');
    }
    return !text.empty() && pid == os::process_id();
}

[[gnu::cold]] void complain(std::string_view text) noexcept {
    os::write_all(2, text.data(), text.size());
}

[[gnu::cold]] void verify(void*, std::string_view value) noexcept {
    if (!is_own_pid(value))
        return;
    // By its public name, as the program calls it: whichever library comes first answers. Comparing addresses
    // would not do, for in a program that isn't position-independent the name's address is the program's own.
    void* p = malloc(1);
    const bool ours = the_heap.owns(p);
    free(p);
    if (ours)
        return;
    complain("lowtide: this process does not run on Lowtide: another malloc comes before it "
             "(linked into the program, or earlier in LD_PRELOAD)\n");
    os::exit_at_once(125);
}

[[gnu::cold]] void remember(void* to, std::string_view value) noexcept {
    auto& where = *static_cast<destination*>(to);
    const size_t colon = value.find(':');
    if (colon == value.npos || !is_own_pid({value.data(), colon}))
        return;
    value.remove_prefix(colon + 1);
    if (value.size() < sizeof(where.path))
        memcpy(where.path, value.data(), value.size());
    writing_process = os::process_id();
}

[[gnu::cold]] void set_folder(void*, std::string_view folder) noexcept {
    the_heap.file_of_account().set_folder(folder);
}

__attribute__((constructor)) void begin() {
    the_heap.start();
    // A child notices by itself, at its first lock, where the kernel wipes a page for it. An emulator may
    // only say that it does; it has no rseq either. Elsewhere the handler isn't worth the 64 KiB of libc that
    // it makes resident.
    if (!os::fork_is_noticed() || the_heap.policy() == os::rseq_support::locked)
        pthread_atfork(nullptr, nullptr, os::after_fork_in_child);
    os::with_variable(verify_variable, verify, nullptr);
    os::with_variable(report_variable, remember, &the_report);
    os::with_variable(profile_variable, remember, &the_profile);
    os::with_variable(account_folder_variable, set_folder, nullptr);
}

[[gnu::cold]] void print_report(printer& out) noexcept {
    account a;
    the_heap.fill(a);
    out.print("lowtide {} report for process {}\n", LOWTIDE_VERSION, os::process_id());
    print_process(out);
    print_account(out, a);
}

[[gnu::cold]] void print_profile(printer& out) noexcept {
    static_cast<void>(the_heap.print_profile(out));
}

// What is written where, and what it is called.
[[gnu::cold]] void write(const destination& where, void (*print)(printer&) noexcept,
                         std::string_view what) noexcept {
    if (where.path[0] == '\0' || writing_process != os::process_id())
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

[[gnu::cold]] void write_what_is_wanted() noexcept {
    write(the_report, print_report, "report");
    write(the_profile, print_profile, "profile");
}

__attribute__((destructor)) void end() {
    the_background.stop();
    the_heap.file_of_account().remove();
    if (writing_process != 0)
        write_what_is_wanted();
}

} // namespace

} // namespace lowtide
