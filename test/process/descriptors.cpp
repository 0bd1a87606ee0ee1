// File descriptors: a program may close all there are, or start without 0, 1 and 2. No descriptor of ours
// takes their place, and none that the program opens later is ever taken for one of ours.
#include "harness.h"
#include "scratch.h"
#include "workload.h"

#include <cerrno>
#include <fcntl.h>
#include <malloc.h>
#include <sys/stat.h>

using namespace harness;
using namespace workload;

namespace {

void close_stdio() {
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    close(STDERR_FILENO);
}

void close_everything() {
    REQUIRE(close_range(0, ~0u, 0) == 0);
}

bool is_closed(int fd) {
    return fcntl(fd, F_GETFD) == -1 && errno == EBADF;
}

void work_hard() {
    use_every_size();
    churn mine(1);
    mine.run(5000);
    mine.clear();
    busy_threads threads(3);
    threads.wait_for_steps(5000);
    malloc_trim(0);
}

// Statuses of the parts, which have no other way to speak.
constexpr int kFine = 0;
constexpr int kDescriptorTaken = 21;
constexpr int kFileTouched = 22;

} // namespace

PART(started_without_stdio) {
    auto taken = [] { return !is_closed(0) || !is_closed(1) || !is_closed(2); };
    if (taken()) {
        _exit(kDescriptorTaken);
    }
    work_hard();
    if (taken()) {
        _exit(kDescriptorTaken);
    }
    int first = open("/dev/null", O_RDWR);
    work_hard();
    exit(first == 0 ? kFine : kDescriptorTaken);
}

PROMISE(a_program_may_start_without_stdio_and_finds_the_numbers_free) {
    outcome of = run_part("started_without_stdio", {.prepare = close_stdio});
    REQUIRE(of.exited_with(kFine));
}

// A warning has nowhere to go then: neither to a file that the program opened as number 2, nor into a crash.
PROMISE(a_warning_without_stderr_is_dropped) {
    outcome of = run_part("started_without_stdio",
                          {.environment = {"LOWTIDE_CONF=nonsense:1"}, .prepare = close_stdio});
    REQUIRE(of.exited_with(kFine));
}

PART(allocates_after_closing_all) {
    work_hard();
    close_everything();
    work_hard();
    exit(kFine);
}

PROMISE(a_program_that_closed_all_descriptors_can_go_on) {
    require_success(run_part("allocates_after_closing_all"));
}

PART(frees_wrongly_after_closing_all) {
    void* block = std::malloc(5u << 20);
    close_everything();
    std::free(static_cast<char*>(block) + 64);
    _exit(kFine);
}

PROMISE(a_wrong_free_aborts_even_if_nobody_can_be_told) {
    REQUIRE(run_part("frees_wrongly_after_closing_all").killed_by(SIGABRT));
}

PART(reuses_all_numbers) {
    constexpr int kFiles = 64;
    constexpr off_t kSize = 100;
    const char* directory = std::getenv("LOWTIDE_TEST_SCRATCH");
    REQUIRE(directory != nullptr && chdir(directory) == 0);
    work_hard();
    close_everything();
    struct stat opened[kFiles];
    for (int i = 0; i < kFiles; ++i) {
        char name[] = {'f', static_cast<char>('A' + i / 8), static_cast<char>('a' + i % 8), 0};
        if (open(name, O_RDWR | O_CREAT | O_TRUNC, 0600) != i || ftruncate(i, kSize) != 0 ||
            lseek(i, kSize / 2, SEEK_SET) != kSize / 2 || fstat(i, &opened[i]) != 0) {
            _exit(kDescriptorTaken);
        }
    }
    work_hard();
    pid_t child = fork();
    if (child == 0) {
        work_hard();
        _exit(0);
    }
    waitpid(child, nullptr, 0);
    for (int i = 0; i < kFiles; ++i) {
        struct stat now;
        if (fstat(i, &now) != 0 || now.st_ino != opened[i].st_ino || now.st_size != kSize ||
            lseek(i, 0, SEEK_CUR) != kSize / 2) {
            _exit(kFileTouched);
        }
    }
    exit(kFine);
}

PROMISE(files_that_the_program_opens_under_any_number_are_left_alone) {
    scratch_directory scratch;
    outcome of =
        run_part("reuses_all_numbers", {.environment = {"LOWTIDE_TEST_SCRATCH=" + scratch.path().string()}});
    REQUIRE(of.exited_with(kFine));
}
