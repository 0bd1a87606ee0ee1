// What happens once in the life of a process: at its start what `lowtide run` asked to verify, in a child of
// fork the next generation of locks, at the end that of the background thread, and what is to be written then
// (at_exit.h). The allocator itself needs none of it to work.
#include "entry/at_exit.h"
#include "entry/background.h"
#include "entry/fast_path.h"
#include "entry/heap.h"
#include "os/environment.h"
#include "os/generation.h"
#include "os/machine.h"

#include <cstdlib>
#include <pthread.h>

namespace lowtide {

namespace {

constexpr std::string_view verify_variable = "LOWTIDE_VERIFY"; // its value is the process

[[gnu::cold]] void verify(void*, std::string_view value) noexcept {
    if (!is_own_number(value))
        return;
    // By its public name, as the program calls it: whichever library comes first answers. Comparing addresses
    // would not do, for in a program that isn't position-independent the name's address is the program's own.
    void* p = malloc(1);
    const bool ours = the_heap.owns(p);
    free(p);
    if (ours)
        return;
    constexpr std::string_view line =
        "lowtide: this process does not run on Lowtide: another malloc comes before "
        "it (linked into the program, or earlier in LD_PRELOAD)\n";
    os::write_all(2, line.data(), line.size());
    os::exit_at_once(125);
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
    os::with_variable(report_variable, remember_destination, &at_exit.report);
    os::with_variable(profile_variable, remember_destination, &at_exit.profile);
    if (the_heap.settings().leaks)
        remember_leaks();
    os::with_variable(account_folder_variable, set_folder, nullptr);
}

__attribute__((destructor)) void end() {
    the_background.stop();
    the_heap.file_of_account().remove();
    if (at_exit.process != 0)
        write_at_exit();
    if (the_heap.settings().leaks)
        report_leaks();
}

} // namespace

} // namespace lowtide
